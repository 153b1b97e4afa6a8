#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The measuring programs: arithmetic, parsing of canned outputs, short runs.

    test_bench.py LIMITS IDLE [LOAM]

No test depends on how fast something is."""
import io
import json
import os
import shlex
import subprocess
import sys
import tempfile
import types
from contextlib import redirect_stdout

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [FOLDER, os.path.join(os.path.dirname(FOLDER), 'house')]
import measure  # noqa: E402
import neighbour  # noqa: E402
import race  # noqa: E402
import tap  # noqa: E402

LIMITS, IDLE = sys.argv[1:3]
LOAM = sys.argv[3] if len(sys.argv) > 3 else None
MODEL = os.path.join(os.environ.get('LOAM_DATA', ''), 'models', 'stories260K-Q8_0.gguf')


def same(name, found, expected):
    tap.check(name, [] if found == expected else [f'found {found!r}', f'expected {expected!r}'])


def close(name, found, expected):
    tap.check(name, [] if abs(found - expected) <= 1e-12 * abs(expected) else
              [f'found {found!r}, expected {expected!r}'])


def refuses(name, words, function, *values):
    """A Failure whose text has each of the words."""
    try:
        problems = [f'gave {function(*values)!r}']
    except measure.Failure as failure:
        problems = [f'no "{word}" in: {failure}' for word in words if word not in str(failure)]
    tap.check(name, problems)


# ---- arithmetic --------------------------------------------------------------


def numbers():
    same('median of an odd number', measure.median([5, 1, 3]), 3)
    same('median of an even number', measure.median([4, 1, 3, 10]), 3.5)
    same('ratios are of one round', measure.ratios([2, 9], [1, 3]), [2, 3])
    try:
        problems = [f'gave {measure.ratios([1], [1, 2])}']
    except ValueError:
        problems = []
    tap.check('ratios of different rounds are refused', problems)


def fake_round(read, units, loam, peer):
    return {'limits': {'bytes': read, 'multiply_adds': units},
            'loam': {'prompt': loam[0], 'decode': loam[1], 'bytes_per_token': 100,
                     'multiply_adds_per_token': 1000},
            'peer': {'prompt': peer[0], 'decode': peer[1]}}


def race_summary():
    # The machine is three times slower in the last round, for all alike: the
    # median of the ratios must not see it, the ratio of the medians would.
    rounds = [fake_round(3000, 90000, (30, 15), (15, 10)),
              fake_round(3000, 90000, (36, 15), (12, 5)),
              fake_round(1000, 30000, (10, 5), (2, 5))]
    found = race.summarise(rounds, ['loam', 'peer'])
    same('prompt rates', found['loam']['prompt']['rates'], [30, 36, 10])
    same('prompt median', found['peer']['prompt']['median'], 12)
    same('ratios of each round', found['peer']['prompt']['ratios'], [2, 3, 5])
    same('median of ratios', found['peer']['prompt']['ratio'], 3)
    same('median of decode ratios', found['peer']['decode']['ratio'], 1.5)
    # decode 15 tokens/s of 100 bytes at 3000 bytes/s: one half, in each round
    close('share of the bandwidth', found['loam']['decode']['share_of_limit'], 0.5)
    close('share of the bandwidth, peer', found['peer']['decode']['share_of_limit'], 1 / 3)
    # prompt: 30, 36, 10 tokens/s of 1000 at 90000, 90000, 30000: 1/3, 0.4, 1/3
    close('share of the unit', found['loam']['prompt']['share_of_limit'], 1 / 3)
    same('loam has no ratio to itself', 'ratio' in found['loam']['prompt'], False)
    lines = race.summary_lines(found)
    same('table has a line for each', [line.split()[0] for line in lines], ['medians', 'loam', 'peer'])
    same('table shows the ratios', ('3.00' in lines[2], '1.50' in lines[2]), (True, True))


def neighbour_summary():
    rounds = [{'loam': {'undisturbed': 10, 'neighbour': 7, 'more': 9}},
              {'loam': {'undisturbed': 5, 'neighbour': 4, 'more': 5}},
              {'loam': {'undisturbed': 8, 'neighbour': 6, 'more': 6}}]
    found = neighbour.summarise(rounds)['loam']
    same('neighbour: medians', [found[kind]['median'] for kind in found], [8, 6, 6])
    close('neighbour: median of ratios', found['neighbour']['ratio'], 0.75)
    close('neighbour: more threads', found['more']['ratio'], 0.9)


# ---- what others print -------------------------------------------------------


def llama_bench(*tests):
    return json.dumps([{'n_prompt': prompt, 'n_gen': generate, 'avg_ts': average,
                        **({'samples_ts': samples} if samples else {})}
                       for prompt, generate, average, samples in tests])


def parsing():
    parse = measure.parser_of('llama-bench')
    text = llama_bench((128, 0, 50.0, [40.0, 45.0, 65.0]), (0, 32, 9.5, None))
    same('llama-bench: median of samples, else the mean', parse('p', text),
         {'prompt': 45.0, 'decode': 9.5})
    refuses('llama-bench: one test missing', ['p: ', 'decode'], parse, 'p',
            llama_bench((128, 0, 50.0, None)))
    refuses('llama-bench: two tests of a kind', ['two prompt'], parse, 'p',
            llama_bench((128, 0, 50.0, None), (64, 0, 50.0, None), (0, 1, 2.0, None)))
    refuses('llama-bench: rate of zero', ['prompt'], parse, 'p',
            llama_bench((128, 0, 0.0, None), (0, 32, 9.5, None)))
    for name, bad in (('no JSON', '| model | t/s |'), ('nothing', ''), ('an object', '{"a": 1}'),
                      ('no keys', '[{}]'), ('a text for a number',
                                            '[{"n_prompt": 1, "n_gen": 0, "avg_ts": "x"}]')):
        refuses(f'llama-bench: {name}', ['p: ', 'llama-bench'], parse, 'p', bad)
    parse = measure.parser_of(r'regex=^pp: (?P<prompt>[\d.]+)|^tg: (?P<decode>[\d.]+)')
    same('regex: first match of each', parse('p', 'load\npp: 12.5 t/s\ntg: 3\npp: 99\n'),
         {'prompt': 12.5, 'decode': 3.0})
    refuses('regex: no match', ['p: ', 'prompt'], parse, 'p', 'tg: 3\n')
    refuses('regex: no number', ['decode', '1.2.3'], parse, 'p', 'pp: 1\ntg: 1.2.3\n')
    for form in ('json', 'regex=(', 'regex=(?P<prompt>.)', 'regex=x'):
        refuses(f'format {form}', ['--peer-format'], measure.parser_of, form)


def commands():
    values = {'model': '/a folder/m.gguf', 'threads': 2}
    same('a path with spaces is one word', measure.fill('x -m {model} -t{threads}', values),
         ['x', '-m', '/a folder/m.gguf', '-t2'])
    refuses('unknown placeholder', ['{modle}', '{threads}'], measure.fill, 'x {modle}', values)
    peers = measure.named_peers(['a=x y', 'b=z', 'c=w'], ['regex=1', 'regex=2'])
    same('formats go with peers', peers, [('a', 'x y', 'regex=1'), ('b', 'z', 'regex=2'),
                                          ('c', 'w', 'regex=2')])
    refuses('a name twice', ['taken'], measure.named_peers, ['a=x', 'a=y'], None)
    refuses('loam as a peer', ['taken'], measure.named_peers, ['loam=x'], None)
    for text in ('a', '=x', 'a= '):
        refuses(f'peer {text!r}', ['NAME=COMMAND'], measure.named_peers, [text], None)
    refuses('a program that is not there', ['p: ', '/no/such'], measure.run, 'p', ['/no/such'], 5)
    refuses('a program that fails', ['p: ', 'status 3', 'because'], measure.run, 'p',
            [sys.executable, '-c', 'import sys; print("because", file=sys.stderr); sys.exit(3)'], 60)
    refuses('a program that hangs', ['p: ', '0.2 s'], measure.run, 'p',
            [sys.executable, '-c', 'import time; time.sleep(60)'], 0.2)
    same('what a program prints', measure.run('p', [sys.executable, '-c', 'print(1)'], 60), '1\n')
    refuses('a key that is missing', ['p: ', 'b'], measure.object_of, 'p', '{"a": 1}', ['a', 'b'])
    refuses('a key that is no number', ['a'], measure.object_of, 'p', '{"a": "1"}', ['a'])
    refuses('a rate of zero', ['a'], measure.object_of, 'p', '{"a": 0}', ['a'])


def machine():
    text = 'processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 fma avx512f\n'
    same('CPU and flags', measure.describe(text), ('Some CPU', ['avx2', 'fma', 'avx512f']))
    same('aarch64', measure.describe('Features\t: fp asimd i8mm\n'), ('unknown CPU', ['asimd', 'i8mm']))
    same('nothing known', measure.describe(''), ('unknown CPU', []))


def disturbance():
    text = 'cpu  100 20 3 4000 500 6 7 80 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n'
    same('ticks of processes and host', measure.busy_ticks(text), (136, 80))
    same('what others took', measure.disturbance((10, 100, 5, 50), (14, 107, 6, 55)),
         {'processes': 0.5, 'host': 0.25})
    same('not less than nothing', measure.disturbance((0, 0, 0, 0), (1, 1, 0, 2))['processes'], 0)
    same('where it is not known', measure.disturbance(None, (1, 1, 1, 1)), None)


# ---- short runs --------------------------------------------------------------


def program(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def limits():
    short = ['--seconds', '0.01', '--megabytes', '8', '--json']
    result = program(LIMITS, *short, '--threads', '2')
    keys = ['limit_read_gbps', 'limit_int8_gmacs', 'limit_f32_gmacs']
    found = measure.object_of('limits', result.stdout, keys)
    for key, group in zip(keys, ('read', 'int8', 'f32')):
        medians = [m['median'] for m in found['measurements']
                   if m['group'] == group and m['threads'] == 2]
        same(f'limits: {key} is the best of all threads', found[key], max(medians))
    same('limits: threads', sorted({m['threads'] for m in found['measurements']}), [1, 2])
    tap.check('limits: best is not below the median',
              [str(m) for m in found['measurements'] if not m['best'] >= m['median'] > 0])
    found = json.loads(program(LIMITS, *short, '--threads', '2', '--only', 'f32', '--brief').stdout)
    same('limits: --only', {m['group'] for m in found['measurements']}, {'f32'})
    same('limits: --only leaves out the keys', [key in found for key in keys], [False, False, True])
    same('limits: --brief', {m['threads'] for m in found['measurements']}, {2})
    found = json.loads(program(LIMITS, *short, '--only', 'int8', '--level', 'scalar').stdout)
    tap.check('limits: --level', [m['name'] for m in found['measurements']
                                  if m['name'].startswith(('avx', 'amx', 'neon'))])
    for wrong in (['--only', 'reed'], ['--threads', '0'], ['--level', 'mmx'], ['--seconds', 'x'],
                  ['--sharp', '1'], ['--threads']):
        result = program(LIMITS, *wrong)
        same(f'limits: wrong {" ".join(wrong)}', (result.returncode, wrong[0] in result.stderr),
             (2, True))


def limits_in_bench():
    """`loam bench` prints the limits under the keys of the program limits."""
    short = ['-m', MODEL, '-p', '4', '-n', '1', '-r', '3', '-t', '2', '--read-bytes', '8M', '--json']
    result = program(LOAM, 'bench', *short)
    keys = ['limit_read_gbps', 'limit_int8_gmacs', 'limit_f32_gmacs', 'decode_fraction', 'prompt_fraction',
            'prompt_tps', 'decode_tps', 'load_s', 'peak_bytes', 'weight_bytes_per_token']
    found = measure.object_of('loam', result.stdout, keys)
    same('loam bench: what was asked for', (found['rounds'], found['threads'], found['prompt']), (3, 2, 4))
    same('loam bench: --no-limits leaves out the keys',
         [key in json.loads(program(LOAM, 'bench', *short, '--no-limits').stdout) for key in keys[:5]],
         [False] * 5)


def fake_peer(folder, text):
    path = os.path.join(folder, 'peer.py')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return f'peer={sys.executable} {path} {{prompt}} {{generate}}'


def run_race(*arguments):
    limits_command = shlex.join([LIMITS, '--megabytes', '8', '--seconds', '0.01'])
    return program(sys.executable, os.path.join(FOLDER, 'race.py'), '--loam', LOAM,
                   '--limits', limits_command, '--model', MODEL, '--rounds', '2', '--prompt', '8',
                   '--generate', '4', '--repeats', '1', '--threads', '1', *arguments)


def whole_race():
    form = ['--peer-format', r'regex=pp (?P<prompt>\S+) tg (?P<decode>\S+)']
    with tempfile.TemporaryDirectory() as folder:
        peer = fake_peer(folder, 'import sys; print("pp", int(sys.argv[1]) * 10, "tg", 7)')
        result = run_race('--peer', peer, *form, '--json')
        found = json.loads(result.stdout)
        same('race: rounds', len(found['rounds']), 2)
        same('race: the peer got the options', found['summary']['peer']['prompt']['rates'], [80, 80])
        rate = found['rounds'][1]['loam']['decode']
        same('race: ratio', found['summary']['peer']['decode']['ratios'][1], rate / 7)
        peer = fake_peer(folder, 'import sys; sys.exit("no such model")')
        result = run_race('--peer', peer, *form)
        same('race: a peer that fails ends it',
             (result.returncode, 'peer: ' in result.stderr, 'no such model' in result.stderr),
             (1, True, True))
    result = run_race('--peer', 'other=/no/such/engine -m {model}')
    same('race: a peer that is absent ends it',
         (result.returncode, 'other: cannot run /no/such/engine' in result.stderr), (1, True))
    result = run_race()
    same('race: alone', (result.returncode, 'of bandwidth' in result.stdout,
                         'cores' in result.stdout, '2 rounds' in result.stdout), (0, True, True, True))


def whole_neighbour():
    options = types.SimpleNamespace(loam=LOAM, idle=IDLE, model=MODEL, peer=[], peer_format=None,
                                    threads=1, more=2, rounds=1, generate=4, wait=0.1, timeout=60)
    found = neighbour.run_round(options, neighbour.engines_of(options))
    same('neighbour: a round', sorted(found['loam']), ['more', 'neighbour', 'undisturbed'])
    tap.check('idle: a share of the time', [] if neighbour.run_idle(options) < 1 else ['more than all'])
    with neighbour.busy_neighbour():
        pass
    out = io.StringIO()
    with redirect_stdout(out):
        print('\n'.join(neighbour.summary_lines(neighbour.summarise([found]), options)))
    same('neighbour: its table', out.getvalue().count('\n'), 2)
    result = program(IDLE, MODEL)
    same('idle: wrong usage', result.returncode, 2)
    result = program(IDLE, '/no/such/model', '1', '0')
    same('idle: no model', (result.returncode, '/no/such/model' in result.stderr), (1, True))


numbers()
race_summary()
neighbour_summary()
parsing()
commands()
machine()
disturbance()
limits()
if not LOAM:
    tap.skip('race and neighbour as a whole', 'built without the loam program')
elif not os.path.exists(MODEL):
    tap.skip('race and neighbour as a whole', 'no reference data: models/stories260K-Q8_0.gguf')
else:
    limits_in_bench()
    whole_race()
    whole_neighbour()
tap.end()
