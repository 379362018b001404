"""What a careful person would script instead of `sbi init --auth oidc`: boto3 and curl, one call after another.

It decides nothing, adopts nothing and checks nothing, so it makes about the fewest calls that do the job. Addresses and
credentials come from the environment, as for sbi. Run by benches/network.rs.
"""

import base64
import json
import os
import subprocess

import boto3
from nacl.public import PublicKey, SealedBox

OWNER, NAME = "octo-publisher", "base"
ACCOUNT, REGION = "123456789012", "us-east-1"
ECR = "acme/base"
ISSUER = "token.actions.githubusercontent.com"
API = os.environ["GITHUB_API_URL"]


def github(method, path, body=None):
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--request", method, API + path]
    command += ["--header", "Accept: application/vnd.github+json", "--header", "X-GitHub-Api-Version: 2022-11-28"]
    command += ["--config", "-"]
    if body is not None:
        command += ["--header", "Content-Type: application/json", "--data", json.dumps(body)]
    token = f'header = "Authorization: Bearer {os.environ["GH_TOKEN"]}"'
    done = subprocess.run(command, input=token, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{method} {path}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout) if done.stdout else None


sts, ecr, iam = (boto3.client(service) for service in ("sts", "ecr", "iam"))
sts.get_caller_identity()
tags = [{"Key": "owner", "Value": f"{OWNER}/{NAME}"}]

registry = ecr.create_repository(
    repositoryName=ECR,
    imageTagMutability="IMMUTABLE",
    imageScanningConfiguration={"scanOnPush": True},
    tags=tags,
)["repository"]
expire = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}
rule = {"rulePriority": 1, "selection": expire, "action": {"type": "expire"}}
ecr.put_lifecycle_policy(repositoryName=ECR, lifecyclePolicyText=json.dumps({"rules": [rule]}))
provider = iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])

repository = github("POST", "/user/repos", {"name": NAME, "private": False, "auto_init": True})
home = f"/repos/{OWNER}/{NAME}"
github("PUT", f"{home}/actions/permissions/workflow", {"default_workflow_permissions": "read"})
github(
    "PUT",
    f"{home}/environments/publish",
    {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}},
)
github("POST", f"{home}/environments/publish/deployment-branch-policies", {"name": "v*", "type": "tag"})

subject = f"repo:{OWNER}@{repository['owner']['id']}/{NAME}@{repository['id']}:environment:publish"
trust = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": subject}},
        }
    ],
}
role = iam.create_role(RoleName="publisher", AssumeRolePolicyDocument=json.dumps(trust), Tags=tags)["Role"]
push = ["BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"]
push += ["BatchGetImage", "GetDownloadUrlForLayer", "DescribeImages"]
policy = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": [f"ecr:{action}" for action in push], "Resource": registry["repositoryArn"]},
    ],
}
iam.put_role_policy(RoleName="publisher", PolicyName="publish", PolicyDocument=json.dumps(policy))

key = github("GET", f"{home}/actions/secrets/public-key")
box = SealedBox(PublicKey(base64.b64decode(key["key"])))
secrets = {
    "AWS_ROLE_ARN": role["Arn"],
    "AWS_REGION": REGION,
    "ECR_REGISTRY": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
    "ECR_REPOSITORY": ECR,
}
for name, value in secrets.items():
    sealed = base64.b64encode(box.encrypt(value.encode())).decode()
    github("PUT", f"{home}/actions/secrets/{name}", {"encrypted_value": sealed, "key_id": key["key_id"]})

branch = repository["default_branch"]
head = github("GET", f"{home}/git/ref/heads/{branch}")["object"]["sha"]
workflow = (
    "name: Publish\non:\n  release:\n    types: [published]\njobs:\n  publish:\n    runs-on: ubuntu-24.04\n"
    "    environment: publish\n    steps:\n      - run: echo publish\n"
)
files = {"README.md": "# Base\n", ".github/workflows/publish-to-ecr.yml": workflow}
entries = [{"path": path, "mode": "100644", "type": "blob", "content": text} for path, text in files.items()]
base = github("GET", f"{home}/git/commits/{head}")["tree"]["sha"]
tree = github("POST", f"{home}/git/trees", {"base_tree": base, "tree": entries})["sha"]
commit = github("POST", f"{home}/git/commits", {"message": "Publish", "tree": tree, "parents": [head]})["sha"]
github("PATCH", f"{home}/git/refs/heads/{branch}", {"sha": commit})
github("POST", f"{home}/releases", {"tag_name": "v1.0.0", "target_commitish": commit, "name": "v1.0.0"})
