// What an agent's tunnels are like, towards whatever NVE.

import { z } from 'zod';
import { intField } from './fields.js';

export const tunnelSection = z
  .strictObject({
    down_hold_ms: intField(0, 600_000)
      .default(1000)
      .describe(
        'How long no underlay port may have a link until the tenants lose theirs, in milliseconds; they have it back as soon as one port has.',
      ),
  })
  .prefault({})
  .describe('The tunnels to other NVEs.');
