import { fuzzAccessCodecs } from '../../test/lib/access-fuzz.js';

fuzzAccessCodecs('lldp');
