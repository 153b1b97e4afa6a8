#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How an engine behaves beside others on the machine.

    neighbour.py --loam LOAM --idle IDLE --model FILE [--peer NAME='COMMAND'] ...

(a) decode with another process that spins, pinned to no core, as a share of decode
    undisturbed: with a core for each thread and a fair system (threads - 1/2) / threads
    or so is what remains;
(b) decode with --more threads, more than there are cores, as a share of decode with
    --threads;
(c) CPU time that an open but idle engine takes (loam only).

Round by round: undisturbed, disturbed, more threads. What is compared is of one round.
Peers are given as to race.py, and take part in (a) and (b).
"""
import argparse
import contextlib
import json
import subprocess
import sys
import time

import measure

SPIN = 'while True: pass'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--loam', required=True, help='the loam program')
    parser.add_argument('--idle', help='the program tests/bench/idle of the build, for (c)')
    parser.add_argument('--model', required=True, help='GGUF file')
    parser.add_argument('--peer', action='append', default=[], metavar='NAME=COMMAND')
    parser.add_argument('--peer-format', action='append', metavar='FORMAT')
    parser.add_argument('--threads', type=int, default=2, help='one for each core (default 2)')
    parser.add_argument('--more', type=int, default=4, help='threads of (b) (default 4)')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--generate', type=int, default=32, help='tokens (default 32)')
    parser.add_argument('--wait', type=float, default=3, help='seconds of (c) (default 3)')
    parser.add_argument('--timeout', type=int, default=600, help='seconds for one command')
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')
    options = parser.parse_args()
    for name in ('threads', 'more', 'rounds', 'generate', 'timeout'):
        if getattr(options, name) < 1:
            parser.error(f'--{name}: expected a positive number')
    return options


@contextlib.contextmanager
def busy_neighbour():
    """One process that spins until the block ends."""
    process = subprocess.Popen([sys.executable, '-c', SPIN], stdin=subprocess.DEVNULL)
    try:
        time.sleep(0.2)  # it has started and spins
        yield
        if process.poll() is not None:
            raise measure.Failure(f'the neighbour ended by itself, status {process.returncode}')
    finally:
        process.kill()
        process.wait()


def engines_of(options):
    """{name: function of threads that gives decode tokens/s}"""
    def loam(threads):
        text = measure.run('loam', [options.loam, 'bench', '--json', '-m', options.model, '-t',
                                    str(threads), '-p', '1', '-n', str(options.generate), '-r', '1',
                                    '--no-limits'],
                           options.timeout)
        return measure.object_of('loam', text, ['decode_tps'])['decode_tps']

    def peer(name, command, form):
        parse = measure.parser_of(form)

        def decode(threads):
            words = measure.fill(command, {'model': options.model, 'threads': threads, 'prompt': 1,
                                           'generate': options.generate, 'repeats': 1})
            return parse(name, measure.run(name, words, options.timeout))['decode']
        return decode

    engines = {'loam': loam}
    for name, command, form in measure.named_peers(options.peer, options.peer_format):
        engines[name] = peer(name, command, form)
    return engines


def run_round(options, engines):
    """{engine: {'undisturbed', 'neighbour', 'more': tokens/s}}"""
    found = {name: {} for name in engines}
    for name, decode in engines.items():
        found[name]['undisturbed'] = decode(options.threads)
        with busy_neighbour():
            found[name]['neighbour'] = decode(options.threads)
        found[name]['more'] = decode(options.more)
    return found


def run_idle(options):
    """CPU seconds per second of an idle engine."""
    text = measure.run('idle', [options.idle, options.model, str(options.threads),
                                str(options.wait)], options.timeout)
    found = measure.object_of('idle', text, ['token_cpu_s', 'idle_s'])
    return found['idle_cpu_s'] / found['idle_s']


def summarise(rounds):
    """{engine: {kind: {'median': tokens/s, 'ratio': median of kind / undisturbed}}}"""
    summary = {}
    for name in rounds[0]:
        undisturbed = [found[name]['undisturbed'] for found in rounds]
        summary[name] = {}
        for kind in ('undisturbed', 'neighbour', 'more'):
            rates = [found[name][kind] for found in rounds]
            summary[name][kind] = {'median': measure.median(rates),
                                   'ratio': measure.median(measure.ratios(rates, undisturbed))}
    return summary


def summary_lines(summary, options):
    rows = [['decode, medians', f'{options.threads} threads t/s', 'with a neighbour', 'ratio',
             f'{options.more} threads', 'ratio']]
    for name, found in summary.items():
        rows.append([name, f'{found["undisturbed"]["median"]:.2f}',
                     f'{found["neighbour"]["median"]:.2f}', f'{found["neighbour"]["ratio"]:.3f}',
                     f'{found["more"]["median"]:.2f}', f'{found["more"]["ratio"]:.3f}'])
    return measure.table(rows)


def main():
    options = arguments()
    engines = engines_of(options)
    machine = measure.machine()
    if not options.json:
        print(f'{machine}\n{options.model}: {options.rounds} rounds, generate {options.generate}')
    rounds, idle = [], []
    for number in range(1, options.rounds + 1):
        before = measure.cpu_times()
        rounds.append(run_round(options, engines))
        others = measure.disturbance(before, measure.cpu_times())
        if options.idle:
            idle.append(run_idle(options))
        if not options.json:
            print(f'round {number}: ' + '; '.join(
                f'{name} {found["undisturbed"]:.2f}, neighbour {found["neighbour"]:.2f}, '
                f'{options.more} threads {found["more"]:.2f}'
                for name, found in rounds[-1].items()) + f'; {measure.disturbance_text(others)}',
                flush=True)
    summary = summarise(rounds)
    idle_share = measure.median(idle) if idle else None
    if options.json:
        print(json.dumps({'machine': machine, 'model': options.model, 'threads': options.threads,
                          'more': options.more, 'rounds': rounds, 'summary': summary,
                          'idle_cpu_share': idle_share}))
        return
    print('\n'.join([''] + summary_lines(summary, options)))
    if idle:
        print(f'idle engine: {100 * idle_share:.4f} % of a core')


if __name__ == '__main__':
    measure.main(main)
