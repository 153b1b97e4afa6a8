#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rendering a long conversation with tools: loam against Jinja2, in turn.

    race_template.py TEMPLATE_BENCH TEMPLATE.jinja [MESSAGES]

Both begin with the context as JSON text (json.loads there), which is the ratio that
counts; that of rendering without reading it on either side is printed as well. Both
outputs must be equal. Prints the times and the ratios, the medians of five rounds."""
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time


def conversation(count):
    tools = [{'type': 'function', 'function': {
        'name': f'tool_{i}', 'description': 'Looks something up & reports "it".',
        'parameters': {'type': 'object', 'required': ['city'], 'properties': {
            'city': {'type': 'string', 'description': 'Name of the city'},
            'days': {'type': 'integer', 'enum': [1, 3, 7]}}}}} for i in range(8)]
    messages = [{'role': 'system', 'content': 'You are a helpful assistant. ' * 8}]
    text = 'The quick brown fox jumps over the lazy dog; naïve café 日本. ' * 6
    while len(messages) < count:
        messages.append({'role': 'user', 'content': text + str(len(messages))})
        messages.append({'role': 'assistant', 'content': '', 'tool_calls': [{
            'type': 'function', 'id': 'abcdefghi', 'function': {
                'name': 'tool_1', 'arguments': {'city': 'Zürich', 'days': 3}}}]})
        messages.append({'role': 'tool', 'name': 'tool_1', 'tool_call_id': 'abcdefghi',
                         'content': '{"weather": "sunny", "degrees": [21, 23]}'})
        messages.append({'role': 'assistant', 'content': text})
    return {'messages': messages[:count], 'tools': tools, 'add_generation_prompt': True,
            'bos_token': '<s>', 'eos_token': '</s>'}


def jinja_template(source):
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=['jinja2.ext.loopcontrols'])

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    def strftime_now(pattern):
        return datetime.datetime(2026, 1, 15, 9, 30, 45).strftime(pattern)
    environment.filters['tojson'] = tojson
    environment.globals['strftime_now'] = strftime_now
    return environment.from_string(source)


def main():
    program, path = sys.argv[1:3]
    source = json.dumps(conversation(int(sys.argv[3]) if len(sys.argv) > 3 else 200),
                        ensure_ascii=False)
    with open(path, encoding='utf-8', newline='') as file:
        template = jinja_template(file.read())
    ratios, alone_ratios = [], []
    with tempfile.NamedTemporaryFile('w', suffix='.json', encoding='utf-8') as file:
        file.write(source)
        file.flush()
        for _ in range(5):
            times, alone = [], []
            for _ in range(11):
                start = time.perf_counter()
                values = json.loads(source)
                middle = time.perf_counter()
                text = template.render(**values)
                end = time.perf_counter()
                times.append((end - start) * 1e3)
                alone.append((end - middle) * 1e3)
            result = json.loads(subprocess.run([program, path, file.name], check=True,
                                               capture_output=True).stdout)
            if result['bytes'] != len(text.encode()):
                sys.exit(f'the outputs differ: {result["bytes"]} and {len(text.encode())} bytes')
            theirs, without = statistics.median(times), statistics.median(alone)
            ratios.append(theirs / result['render_ms'])
            ours = result['render_ms'] - result['read_ms']
            alone_ratios.append(without / ours)
            print(f'loam {result["render_ms"]:.3f} ms, Jinja2 {theirs:.3f} ms, ratio {ratios[-1]:.1f}; without '
                  f'reading {ours:.3f} and {without:.3f} ms, ratio {alone_ratios[-1]:.1f}; {result["bytes"]} bytes')
    print(f'median ratio {statistics.median(ratios):.1f}, without reading {statistics.median(alone_ratios):.1f}')


main()
