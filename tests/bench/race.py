#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Races loam against other engines and against the limits of the machine.

    race.py --loam LOAM --limits LIMITS --model FILE
            --peer NAME='COMMAND with {model} {threads} {prompt} {generate} {repeats}' ...

In each round limits, loam and the peers run one after the other; what is compared is
of one round, since the speed of a shared machine drifts. Printed are the rounds, the
medians, and the medians of the ratios of each round (above 1: loam is faster). Decode is
also given as a share of the memory bandwidth: tokens/s times the bytes of weights that a
token must read, by the bytes/s that `limits` read in the same round; and prompts as a
share of the best multiply-add unit, of bytes or (--float) of floats. A line says how
many cores others took during each round: a round with much of that says little.

A peer's COMMAND prints its rates on standard output, --peer-format says how: as
`llama-bench -o json` (the default) or as two named groups of a regular expression:
regex='pp: (?P<prompt>[0-9.]+)|tg: (?P<decode>[0-9.]+)'. The first --peer-format is of the
first peer, and so on; the last one of all others.
"""
import argparse
import json

import measure


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--loam', required=True, help='the loam program')
    parser.add_argument('--limits', required=True, help='the limits program, options of its own may follow')
    parser.add_argument('--model', required=True, help='GGUF file')
    parser.add_argument('--peer', action='append', default=[], metavar='NAME=COMMAND')
    parser.add_argument('--peer-format', action='append', metavar='FORMAT',
                        help='llama-bench or regex=EXPRESSION')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--repeats', type=int, default=2,
                        help='measurements of an engine within a round (default 2)')
    parser.add_argument('--prompt', type=int, default=128, help='tokens (default 128)')
    parser.add_argument('--generate', type=int, default=32, help='tokens (default 32)')
    parser.add_argument('--level', default='best', help='CPU level of loam and of the limits')
    parser.add_argument('--float', action='store_true', help='the weights are floats')
    parser.add_argument('--timeout', type=int, default=600, help='seconds for one command')
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')
    options = parser.parse_args()
    for name in ('threads', 'rounds', 'repeats', 'prompt', 'generate', 'timeout'):
        if getattr(options, name) < 1:
            parser.error(f'--{name}: expected a positive number')
    return options


def peers_of(options):
    """[(name, words of the command, parser)]"""
    values = {name: getattr(options, name)
              for name in ('model', 'threads', 'prompt', 'generate', 'repeats')}
    return [(name, measure.fill(command, values), measure.parser_of(form))
            for name, command, form in measure.named_peers(options.peer, options.peer_format)]


# ---- rounds ------------------------------------------------------------------


def run_limits(options):
    unit = 'f32' if options.float else 'int8'
    text = measure.run('limits', [*measure.fill(options.limits, {}), '--json', '--brief', '--threads',
                                  str(options.threads), '--level', options.level,
                                  '--only', f'read,{unit}'], options.timeout)
    found = measure.object_of('limits', text, ['limit_read_gbps', f'limit_{unit}_gmacs'])
    return {'bytes': found['limit_read_gbps'] * 1e9,
            'multiply_adds': found[f'limit_{unit}_gmacs'] * 1e9}


def run_loam(options):
    text = measure.run('loam', [options.loam, 'bench', '--json', '-m', options.model,
                                '-t', str(options.threads), '-p', str(options.prompt),
                                '-n', str(options.generate), '-r', str(options.repeats),
                                '--cpu', options.level, '--no-limits'], options.timeout)
    keys = ['prompt_tps', 'decode_tps', 'weight_bytes_per_token', 'multiply_adds_per_token']
    found = measure.object_of('loam', text, keys)
    return {'prompt': found['prompt_tps'], 'decode': found['decode_tps'], 'cpu': found.get('cpu'),
            'bytes_per_token': found['weight_bytes_per_token'],
            'multiply_adds_per_token': found['multiply_adds_per_token']}


def run_round(options, peers):
    """{'limits': ..., 'loam': ..., peer: {'prompt': tokens/s, 'decode': tokens/s}, 'disturbance'}"""
    before = measure.cpu_times()
    found = {'limits': run_limits(options), 'loam': run_loam(options)}
    for name, command, parse in peers:
        found[name] = parse(name, measure.run(name, command, options.timeout))
    found['disturbance'] = measure.disturbance(before, measure.cpu_times())
    return found


# ---- arithmetic --------------------------------------------------------------


def summarise(rounds, names):
    """For each engine and kind: the rates, their median, the share of the machine's limit
    (median of the rounds), and for a peer the ratio of loam to it (per round, median)."""
    summary = {}
    for name in names:
        engine = summary[name] = {}
        for kind, limit in (('prompt', 'multiply_adds'), ('decode', 'bytes')):
            rates = [found[name][kind] for found in rounds]
            shares = [found[name][kind] * found['loam'][f'{limit}_per_token']
                      / found['limits'][limit] for found in rounds]
            engine[kind] = {'rates': rates, 'median': measure.median(rates),
                            'share_of_limit': measure.median(shares)}
            if name != 'loam':
                per_round = measure.ratios([found['loam'][kind] for found in rounds], rates)
                engine[kind]['ratios'] = per_round
                engine[kind]['ratio'] = measure.median(per_round)
    return summary


# ---- output ------------------------------------------------------------------


def round_line(number, found, names):
    cells = [f'{name} {found[name]["prompt"]:.1f} {found[name]["decode"]:.2f}' for name in names]
    return (f'round {number}: read {found["limits"]["bytes"] / 1e9:.1f} GB/s, '
            f'{found["limits"]["multiply_adds"] / 1e9:.0f} GMAC/s; prompt and decode tokens/s: '
            + ', '.join(cells) + f'; {measure.disturbance_text(found["disturbance"])}')


def summary_lines(summary):
    rows = [['medians', 'prompt t/s', 'of unit', 'loam by it', 'decode t/s', 'of bandwidth',
             'loam by it']]
    for name, engine in summary.items():
        cells = [name]
        for kind in ('prompt', 'decode'):
            cells += [f'{engine[kind]["median"]:.2f}', f'{100 * engine[kind]["share_of_limit"]:.1f} %',
                      f'{engine[kind]["ratio"]:.2f}' if 'ratio' in engine[kind] else '']
        rows.append(cells)
    return measure.table(rows)


def main():
    options = arguments()
    peers = peers_of(options)
    names = ['loam'] + [peer[0] for peer in peers]
    machine = measure.machine()
    if not options.json:
        print(f'{machine}\n{options.model}: {options.rounds} rounds, {options.threads} threads, '
              f'prompt {options.prompt}, generate {options.generate}, level {options.level}')
    rounds = []
    for number in range(1, options.rounds + 1):
        rounds.append(run_round(options, peers))
        if not options.json:
            print(round_line(number, rounds[-1], names), flush=True)
    summary = summarise(rounds, names)
    if options.json:
        print(json.dumps({'machine': machine, 'model': options.model, 'threads': options.threads,
                          'prompt': options.prompt, 'generate': options.generate,
                          'level': options.level, 'rounds': rounds, 'summary': summary}))
    else:
        print('\n'.join([''] + summary_lines(summary)))


if __name__ == '__main__':
    measure.main(main)
