# SPDX-License-Identifier: MIT
"""What the measuring programs of this folder share: running commands, reading what
they print, medians and ratios, and what the machine is."""
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import time

# CPU flags that matter here, of what /proc/cpuinfo lists.
FLAGS = ('avx2', 'fma', 'f16c', 'avx_vnni', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_tile',
         'amx_int8', 'asimd', 'asimddp', 'i8mm', 'sve', 'sme')


class Failure(Exception):
    """A measurement that could not be made; its text is for the user."""


# ---- commands ----------------------------------------------------------------


def run(name, command, timeout):
    """Standard output of a command. It must end well."""
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=timeout, check=False, text=True, errors='replace')
    except OSError as problem:
        raise Failure(f'{name}: cannot run {command[0]}: {problem.strerror}') from None
    except subprocess.TimeoutExpired:
        raise Failure(f'{name}: took more than {timeout} s: {shlex.join(command)}') from None
    if result.returncode:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()[-3:]
        raise Failure(f'{name}: ended with status {result.returncode}: ' + ' / '.join(said or ['']))
    return result.stdout


def fill(template, values):
    """The words of a command line with {name} replaced. Words are split first: a path
    with spaces stays one word."""
    words = shlex.split(template)
    for i, word in enumerate(words):
        for name in re.findall(r'\{(\w+)\}', word):
            if name not in values:
                raise Failure(f'{{{name}}}: not one of ' + ' '.join(f'{{{v}}}' for v in values))
            word = word.replace(f'{{{name}}}', str(values[name]))
        words[i] = word
    return words


def object_of(name, text, keys):
    """The JSON object that a program printed, with at least these keys, all positive."""
    try:
        found = json.loads(text)
    except ValueError:
        raise Failure(f'{name}: printed no JSON: {text[:80]!r}') from None
    for key in keys:
        if not isinstance(found, dict) or not isinstance(found.get(key), (int, float)) \
                or not found[key] > 0:
            raise Failure(f'{name}: printed no {key}')
    return found


# ---- what a peer prints ------------------------------------------------------


def parse_llama_bench(name, text):
    """`llama-bench -o json`: medians of the samples of its prompt and its decode test."""
    try:
        tests = json.loads(text)
        rates = {}
        for test in tests:
            kind = ('prompt' if test['n_prompt'] and not test['n_gen'] else
                    'decode' if test['n_gen'] and not test['n_prompt'] else None)
            if kind in rates:
                raise Failure(f'{name}: printed two {kind} tests')
            if kind:
                rates[kind] = float(median(test.get('samples_ts') or [test['avg_ts']]))
    except (ValueError, KeyError, TypeError):
        raise Failure(f'{name}: printed no JSON of llama-bench (-o json): {text[:80]!r}') from None
    return complete(name, rates)


def parse_expression(name, text, expression):
    """The named groups `prompt` and `decode` of a regular expression, first match each."""
    rates = {}
    for match in re.finditer(expression, text, re.MULTILINE):
        for kind, number in match.groupdict().items():
            if number is not None and kind not in rates:
                try:
                    rates[kind] = float(number)
                except ValueError:
                    raise Failure(f'{name}: {kind}: {number!r} is no number') from None
    return complete(name, rates)


def complete(name, rates):
    for kind in ('prompt', 'decode'):
        if not rates.get(kind, 0) > 0:
            raise Failure(f'{name}: printed no rate of its {kind} test')
    return {'prompt': rates['prompt'], 'decode': rates['decode']}


def parser_of(form):
    """A function of (name, text) for a --peer-format."""
    if form == 'llama-bench':
        return parse_llama_bench
    kind, _, expression = form.partition('=')
    if kind != 'regex':
        raise Failure(f'--peer-format {form}: expected llama-bench or regex=EXPRESSION')
    try:
        groups = re.compile(expression).groupindex
    except re.error as problem:
        raise Failure(f'--peer-format {form}: {problem}') from None
    if set(groups) != {'prompt', 'decode'}:
        raise Failure(f'--peer-format {form}: expected the groups (?P<prompt>...) and (?P<decode>...)')
    return lambda name, text: parse_expression(name, text, expression)


def named_peers(peers, forms):
    """[(name, command, format)] of the --peer and --peer-format options. The last format is
    that of all peers without one."""
    forms, found = forms or ['llama-bench'], []
    for i, text in enumerate(peers):
        name, _, command = text.partition('=')
        if not name or not command.strip():
            raise Failure(f'--peer {text}: expected NAME=COMMAND')
        if name in [peer[0] for peer in found] + ['loam', 'limits']:
            raise Failure(f'--peer {name}: the name is taken')
        found.append((name, command, forms[min(i, len(forms) - 1)]))
    return found


# ---- numbers -----------------------------------------------------------------


def median(values):
    ordered = sorted(values)
    if not ordered:
        raise ValueError('no values')
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def ratios(ours, theirs):
    """Round by round: only numbers of one round are comparable."""
    if len(ours) != len(theirs):
        raise ValueError('rounds differ')
    return [a / b for a, b in zip(ours, theirs)]


def table(rows):
    """Lines of aligned columns: first to the left, others to the right."""
    widths = [max(len(row[i]) for row in rows if i < len(row))
              for i in range(max(map(len, rows)))]
    return [''.join(cell.ljust(width) if i == 0 else '  ' + cell.rjust(width)
                    for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


# ---- the machine -------------------------------------------------------------


def describe(cpuinfo):
    """(name, flags of interest) of the text of /proc/cpuinfo."""
    name = re.search(r'^model name\s*:\s*(.*)$', cpuinfo, re.MULTILINE)
    listed = re.search(r'^(?:flags|Features)\s*:\s*(.*)$', cpuinfo, re.MULTILINE)
    present = set(listed.group(1).split()) if listed else set()
    return name.group(1).strip() if name else 'unknown CPU', [f for f in FLAGS if f in present]


def machine():
    """One line: the CPU, its flags, the cores that this process may use, the load."""
    try:
        with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as file:
            name, flags = describe(file.read())
    except OSError:
        name, flags = 'unknown CPU', []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return (f'{name}; {" ".join(flags) or "no flags known"}; {cores} cores; '
            f'load before the start {os.getloadavg()[0]:.2f}')


def busy_ticks(stat):
    """Clock ticks that all processes took, and that the host kept from this machine, of the
    text of /proc/stat."""
    fields = [int(field) for field in stat.split('\n', 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return user + nice + system + irq + softirq, steal


def cpu_times():
    """Now: (seconds on the clock, CPU seconds of all processes, stolen ones, of our own
    children that have ended), or None where the system does not say."""
    try:
        with open('/proc/stat', encoding='ascii') as file:
            busy, steal = busy_ticks(file.read())
    except (OSError, ValueError):
        return None
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = os.sysconf('SC_CLK_TCK')
    return time.monotonic(), busy / ticks, steal / ticks, own.ru_utime + own.ru_stime


def disturbance(before, after):
    """Cores that others took between two cpu_times: other processes, and the host."""
    if before is None or after is None:
        return None
    seconds, busy, steal, own = (b - a for a, b in zip(before, after))
    return {'processes': max(busy - own, 0) / seconds, 'host': steal / seconds}


def disturbance_text(found):
    return 'unknown' if found is None else (
        f'{found["processes"]:.2f} cores to other processes, {found["host"]:.2f} to the host')


def main(function):
    """Runs a program: a Failure is one line on stderr and status 1."""
    name = os.path.basename(sys.argv[0]).removesuffix('.py')
    try:
        function()
    except Failure as problem:
        sys.exit(f'{name}: {problem}')
    except KeyboardInterrupt:
        sys.exit(130)
