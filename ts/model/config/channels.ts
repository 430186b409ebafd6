// S-channels: what an access link says of them, and how they are negotiated (IEEE 802.1Q clause 42).

import { z } from 'zod';
import { intField, vlanPoolField } from './fields.js';

/** What the CDCP TLV has room for, without the default channel (clause D.2.13). */
const MAX_CHANNELS = 166;

/** Of `[[access]]` under scheme "s-channel". */
export const channelFields = {
  channels: intField(1, MAX_CHANNELS)
    .default(MAX_CHANNELS)
    .describe('Under scheme "s-channel": how many S-channels a station may have, besides the default channel.'),
  svid_pool: vlanPoolField
    .prefault('2-4094')
    .describe(
      'Under scheme "s-channel": the SVIDs that CDCP may give out on this link, as rising ranges. A station gets what it had, if it is free, or else what it asks for.',
    ),
};

export const cdcpSection = z
  .strictObject({
    role: intField(0, 1)
      .default(0)
      .describe(
        'The Role bit that this side sends as the bridge. Which value means the bridge is told both ways; a station that reads it the other way is known by the channels that it lists.',
      ),
    hold_ms: intField(0, 3_600_000)
      .default(60_000)
      .describe(
        'How long an S-channel outlives its station, or its place in the list of the station, in milliseconds: so a restart of the control plane cuts nothing.',
      ),
  })
  .prefault({})
  .describe('How S-channels are negotiated (IEEE 802.1Q clause 42.4).');
