// Trims GitHub's own description of its REST API (npm `@octokit/openapi` 23.0.2, MIT) to the operations that this
// project and its stand-in speak: `node tests/tools/trim-openapi.mjs` writes tests/data/github-openapi.json.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const source = "../../.tools/node/node_modules/@octokit/openapi/generated/api.github.com.json";
const target = "../data/github-openapi.json";
const repo = "/repos/{owner}/{repo}";
const wanted = {
  "/user": "get",
  "/rate_limit": "get",
  "/users/{username}": "get",
  "/orgs/{org}": "get",
  "/user/repos": "post",
  "/orgs/{org}/repos": "post",
  [repo]: "get patch delete",
  [`${repo}/topics`]: "get put",
  [`${repo}/actions/secrets`]: "get",
  [`${repo}/actions/secrets/public-key`]: "get",
  [`${repo}/actions/secrets/{secret_name}`]: "get put delete",
  [`${repo}/actions/permissions`]: "get put",
  [`${repo}/actions/permissions/selected-actions`]: "get put",
  [`${repo}/actions/permissions/workflow`]: "get put",
  [`${repo}/actions/oidc/customization/sub`]: "get put",
  [`${repo}/actions/workflows`]: "get",
  [`${repo}/actions/workflows/{workflow_id}`]: "get",
  [`${repo}/actions/workflows/{workflow_id}/dispatches`]: "post",
  [`${repo}/actions/workflows/{workflow_id}/runs`]: "get",
  [`${repo}/actions/runs`]: "get",
  [`${repo}/actions/runs/{run_id}`]: "get",
  [`${repo}/actions/runs/{run_id}/jobs`]: "get",
  [`${repo}/actions/variables/{name}`]: "get",
  [`${repo}/code-scanning/alerts`]: "get",
  [`${repo}/issues`]: "get",
  [`${repo}/issues/{issue_number}/comments`]: "get post",
  [`${repo}/environments`]: "get",
  [`${repo}/environments/{environment_name}`]: "get put delete",
  [`${repo}/environments/{environment_name}/deployment-branch-policies`]: "get post",
  [`${repo}/environments/{environment_name}/deployment-branch-policies/{branch_policy_id}`]: "get put delete",
  [`${repo}/environments/{environment_name}/secrets`]: "get",
  [`${repo}/environments/{environment_name}/variables`]: "get",
  [`${repo}/contents/{path}`]: "get put delete",
  [`${repo}/git/blobs`]: "post",
  [`${repo}/git/blobs/{file_sha}`]: "get",
  [`${repo}/git/trees`]: "post",
  [`${repo}/git/trees/{tree_sha}`]: "get",
  [`${repo}/git/commits`]: "post",
  [`${repo}/git/commits/{commit_sha}`]: "get",
  [`${repo}/git/tags/{tag_sha}`]: "get",
  [`${repo}/git/ref/{ref}`]: "get",
  [`${repo}/git/refs`]: "post",
  [`${repo}/git/refs/{ref}`]: "patch delete",
  [`${repo}/git/matching-refs/{ref}`]: "get",
  [`${repo}/commits`]: "get",
  [`${repo}/commits/{commit_sha}/branches-where-head`]: "get",
  [`${repo}/compare/{basehead}`]: "get",
  [`${repo}/branches`]: "get",
  [`${repo}/branches/{branch}`]: "get",
  [`${repo}/branches/{branch}/protection`]: "get put delete",
  [`${repo}/rules/branches/{branch}`]: "get",
  [`${repo}/rulesets`]: "get post",
  [`${repo}/tags`]: "get",
  [`${repo}/releases`]: "get post",
  [`${repo}/releases/latest`]: "get",
  [`${repo}/releases/tags/{tag}`]: "get",
  [`${repo}/releases/{release_id}`]: "get patch delete",
  [`${repo}/immutable-releases`]: "get put delete",
  [`${repo}/pulls`]: "get post",
  [`${repo}/pulls/{pull_number}`]: "get patch",
  [`${repo}/pulls/{pull_number}/merge`]: "put",
};

const full = JSON.parse(readFileSync(new URL(source, import.meta.url)));
const names = new Set(["properties", "patternProperties", "schemas", "examples", "responses", "parameters", "headers"]);
const prose = new Set(["description", "summary", "title", "example", "externalDocs", "tags", "deprecated"]);

// Copies a value without its prose; below `names` every key is somebody's name, an example's value stays as it is.
function lean(value, keysAreNames = false) {
  if (Array.isArray(value)) return value.map((item) => lean(item));
  if (value === null || typeof value !== "object") return value;
  const kept = {};
  for (const [key, inner] of Object.entries(value)) {
    if (!keysAreNames && (prose.has(key) || (key.startsWith("x-") && key !== "x-multi-segment"))) continue;
    if (!keysAreNames && (key === "value" || key === "enum" || key === "default" || key === "required")) kept[key] = inner;
    else kept[key] = lean(inner, !keysAreNames && names.has(key) && !Array.isArray(inner));
  }
  return kept;
}

const components = {};
function keepReferences(value) {
  if (Array.isArray(value)) return value.forEach(keepReferences);
  if (value === null || typeof value !== "object") return;
  if (typeof value.$ref === "string") {
    const [, , kind, name] = value.$ref.split("/");
    if (components[kind]?.[name] !== undefined) return;
    const section = (components[kind] ??= {});
    section[name] = kind === "examples" ? full.components[kind][name] : lean(full.components[kind][name]);
    keepReferences(section[name]);
  }
  Object.values(value).forEach(keepReferences);
}

const paths = {};
for (const [path, methods] of Object.entries(wanted)) {
  paths[path] = {};
  for (const method of methods.split(" ")) {
    const operation = full.paths[path]?.[method];
    if (!operation) throw new Error(`${method} ${path} is not in GitHub's description`);
    paths[path][method] = lean(operation);
    keepReferences(paths[path][method]);
  }
}
for (const section of Object.keys(components)) {
  components[section] = Object.fromEntries(Object.entries(components[section]).sort(([a], [b]) => (a < b ? -1 : 1)));
}
const { version, license } = full.info;
const info = { title: "GitHub REST API, trimmed by tests/tools/trim-openapi.mjs", version, license, source: "npm @octokit/openapi 23.0.2" };
// One operation or component a line: short enough for a diff, without a megabyte of indentation.
const lines = (object, depth) =>
  depth === 0
    ? JSON.stringify(object)
    : `{\n${Object.entries(object).map(([key, value]) => `${JSON.stringify(key)}:${lines(value, depth - 1)}`).join(",\n")}\n}`;
const text = `{"openapi":${JSON.stringify(full.openapi)},"info":${JSON.stringify(info)},\n"paths":${lines(paths, 2)},\n"components":${lines(components, 2)}}\n`;
writeFileSync(fileURLToPath(new URL(target, import.meta.url)), text);
