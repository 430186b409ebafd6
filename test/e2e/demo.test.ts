// `splitnve demo`, as a user runs it: green until Ctrl-C, or red for a reason that it names.
import { beforeEach, describe, expect, it } from 'vitest';
import { run } from '../lib/command.js';
import { DEMO_CLI, demoStarter, needsRoot, pidsIn, RUN_MS, spacesOf } from '../lib/demo.js';

describe('splitnve demo', () => {
  beforeEach(needsRoot);
  const start = demoStarter();

  it('is green until Ctrl-C, and red when one NVE sends under another VNI; of two neither disturbs the other', {
    timeout: RUN_MS,
  }, async () => {
    const bad = start('--once', '--fault', 'wrong-vni');
    // Without --once it goes on after the verdict.
    const good = start();
    await expect
      .poll(() => good.output, { timeout: RUN_MS, interval: 200 })
      .toMatch(/OUT-KBIT\/s\n {2}agent1 .* blue |RED:/);
    const code = await bad.ended;
    expect(bad.failures(), bad.output).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^agent 2 knows the other's MACs from the NVA .*vni 5002/),
        expect.stringMatching(/^ping blue-1 to blue-2 /),
      ]),
    );
    expect(bad.verdict()).toMatch(/failed:.*ping blue-1 to blue-2.*RED: /s);
    expect(bad.verdict()).not.toContain('has died');
    expect(code).toBe(1);

    const spaces = spacesOf(good);
    expect(spaces.size).toBe(1);
    good.process.kill('SIGINT');
    expect(await good.ended).toBe(0);
    expect(good.failures(), good.output).toEqual([]);
    expect(good.verdict()).toMatch(/GOOD: \d+ checks/);
    await expect.poll(() => pidsIn(spaces), { timeout: 10_000 }).toEqual([]);
  });

  it('ends by itself with --once when it is green', { timeout: RUN_MS }, async () => {
    const demo = start('--once');
    expect(await demo.ended, demo.output).toBe(0);
    expect(demo.failures(), demo.output).toEqual([]);
    expect(demo.verdict()).toMatch(/GOOD: \d+ checks/);
  });

  it('ends by itself with --once, and is red when an agent is killed, and says so', { timeout: RUN_MS }, async () => {
    const demo = start('--once', '--fault', 'agent-killed');
    expect(await demo.ended, demo.output).toBe(1);
    expect(demo.output).toContain('!! agent2 has died: killed by SIGKILL');
    expect(demo.verdict()).toMatch(/agent2 has died: killed by SIGKILL\. The last lines of its log:\n {4}info /);
    expect(demo.verdict()).toMatch(/failed:.*ping blue-1 to blue-2.*RED: /s);
  });
});

describe('splitnve demo without root', () => {
  it('says what to do', { timeout: 20_000 }, async (context) => {
    const line = [process.execPath, DEMO_CLI, 'demo', '--once'];
    // Root of the machine, who is nobody special in a user namespace of its own.
    const isRoot = process.geteuid?.() === 0;
    const [program = '', ...args] = isRoot ? ['unshare', '--user', '--map-user=1000', ...line] : line;
    const { status, stderr, stdout } = await run(program, args);
    if (stderr.startsWith('unshare:')) context.skip(`no user namespaces: ${stderr.trim()}`);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: .*needs root/);
    expect(stderr).toContain('Run it with sudo');
    expect(stderr).not.toContain('    at ');
    expect(status).toBe(77);
  });
});
