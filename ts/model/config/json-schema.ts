// The configuration files' JSON Schemas, for editors. firmware-config/schema holds what this makes; a test keeps them equal.

import { z } from 'zod';
import { configSchemas } from './load.js';
import type { RoleName } from './references.js';

/** The JSON Schema (2020-12) of what people write into the file of a role. */
export function configJsonSchema(role: RoleName): object {
  const { $schema, ...rest } = z.toJSONSchema(configSchemas[role], { io: 'input' });
  return { $schema, title: `splitnve ${role}`, ...rest };
}
