import { fuzzAccessCodecs } from './testing/access-fuzz.js';

fuzzAccessCodecs('lldp');
