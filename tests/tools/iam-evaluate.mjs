// Evaluates identity policies with the engine of @cloud-copilot/iam-simulate, without asking whether a call exists.
//
//   node iam-evaluate.mjs NODE_MODULES <questions.json >answers.json
//
// [{ policy, action, resource, context }] in, ["Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied"] out.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const require = createRequire(join(process.argv[2], 'from-here.js'));
const { runUnsafeSimulation } = require('@cloud-copilot/iam-simulate');

const account = '123456789012';
const questions = JSON.parse(await text(process.stdin));
const answers = questions.map(({ policy, action, resource, context }) =>
  runUnsafeSimulation(
    {
      request: {
        principal: `arn:aws:iam::${account}:user/ann`,
        action,
        resource: { resource, accountId: account },
        contextVariables: context,
      },
      identityPolicies: [{ name: 'policy', policy }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  ),
);
process.stdout.write(JSON.stringify(answers));
