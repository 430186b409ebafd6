/**
 * `store`: durable state. It keeps what the model describes and knows no protocol; what is remembered when, and what is done
 * with it after a restart, is for roles to say.
 */
export { STORE_FORMAT } from './database.js';
export * from './nva-store.js';
export * from './store.js';
