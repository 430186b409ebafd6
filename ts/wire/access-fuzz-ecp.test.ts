import { fuzzAccessCodecs } from '../../test/lib/access-fuzz.js';

fuzzAccessCodecs('ecp');
