/** What `splitnve demo` can be asked for. */
export interface DemoOptions {
  /** End after the verdict; else go on with a live table until Ctrl-C. */
  readonly once: boolean;
  /** Break something on purpose, to see the verdict turn red. */
  readonly fault?: Fault | undefined;
  /** Keep the logs of all processes in a folder of /tmp. */
  readonly keepLogs?: boolean | undefined;
}

/** `wrong-vni`: NVE 2 sends under another VNI than the NVA says. `agent-killed`: NVE 2's agent is killed before the checks. */
export const FAULTS = ['wrong-vni', 'agent-killed'] as const;
export type Fault = (typeof FAULTS)[number];

/** What the demo outside tells the one inside, once. */
export interface Start {
  readonly options: DemoOptions;
  /** The process id of the demo inside, as the machine sees it: the way in for a reader's shell. */
  readonly pid: number;
}
