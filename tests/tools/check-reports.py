"""Judges the reports of a scan: CycloneDX by its schema, SPDX by its reference library, SARIF by its schema,
which is Microsoft's copy of the OASIS one (sarif-2.1.0.json of npm's @microsoft/sarif-multitool-linux 5.7.0, MIT).

usage: check-reports.py (cyclonedx|spdx|sarif) FILE [SCHEMA]
"""

import json
import sys

kind, path, *schema = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    text = file.read()
if kind == "cyclonedx":
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    version = SchemaVersion.from_version(json.loads(text)["specVersion"])
    error = JsonStrictValidator(version).validate_str(text)
    problems = [] if error is None else [str(error)[:2000]]
elif kind == "spdx":
    from spdx_tools.spdx.parser.error import SPDXParsingError
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    try:
        problems = [found.validation_message for found in validate_full_spdx_document(parse_file(path))]
    except SPDXParsingError as error:
        problems = error.messages
elif kind == "sarif":
    from jsonschema.validators import validator_for

    with open(schema[0], encoding="utf-8") as file:
        rules = json.load(file)
    problems = [found.message for found in validator_for(rules)(rules).iter_errors(json.loads(text))]
else:
    sys.exit(f"{kind} is not known")
print("\n".join(problems))
sys.exit(bool(problems))
