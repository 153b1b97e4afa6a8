# SPDX-License-Identifier: MIT
"""Short C functions, a comment above each statement, from a grammar.

A shape is a list of lines. A line is (comment, code): the comment may have several wordings,
separated by '|'. Names in braces are chosen once for each function, so that a line can be told
from the lines around it and from the comment above it, but not from the comment alone."""
from draw import Draw, held_out

# What arrays hold: singular, plural, and the type of one.
THINGS = [
    ('price', 'prices', 'int'), ('score', 'scores', 'int'), ('weight', 'weights', 'double'),
    ('length', 'lengths', 'double'), ('age', 'ages', 'int'), ('mark', 'marks', 'int'),
    ('size', 'sizes', 'long'), ('value', 'values', 'int'), ('height', 'heights', 'double'),
    ('step', 'steps', 'int'), ('point', 'points', 'int'), ('coin', 'coins', 'int'),
    ('number', 'numbers', 'long'), ('speed', 'speeds', 'double'), ('cost', 'costs', 'double'),
    ('level', 'levels', 'int'), ('width', 'widths', 'int'), ('time', 'times', 'long'),
    ('vote', 'votes', 'int'), ('item', 'items', 'int'), ('sample', 'samples', 'double'),
    ('amount', 'amounts', 'long'), ('distance', 'distances', 'double'), ('day', 'days', 'int'),
]
COUNTS = ['count', 'n', 'length', 'total_count']
INDEXES = ['i', 'k', 'index', 'at']
SUMS = ['sum', 'total', 'result', 'all']
BESTS = ['best', 'found', 'result', 'top']
LIMITS = ['limit', 'border', 'bound', 'mark_line']
TEXTS = ['text', 'word', 'line', 'name']
SIGNS = ['sign', 'letter', 'wanted', 'c']
FACTORS = ['factor', 'scale', 'rate', 'times_by']
FIRSTS = [('a', 'b'), ('x', 'y'), ('left', 'right'), ('first', 'second'), ('one', 'other')]
TARGETS = ['out', 'target', 'copy', 'to']

LOOP = ('visit each {thing}|go through all {things}|for each of the {things}',
        'for (int {i} = 0; {i} < {n}; {i}++) {{')
BACK_LOOP = ('visit each {thing} from the last one|go through all {things} backwards',
             'for (int {i} = {n} - 1; {i} >= 0; {i}--) {{')
TEXT_LOOP = ('visit each character of {text}|until {text} ends', 'for (int {i} = 0; {text}[{i}]; {i}++) {{')
END = (None, '}}')


def shape(name, head, *lines):
    return (name, head, lines)


SHAPES = [
    shape('sum', ('the sum of the {things}|all {things} added up',
                  '{type} sum_of_{things}(const {type} *{things}, int {n})'),
          ('start with nothing', '{type} {sum} = 0;'), LOOP,
          ('add the {thing} to {sum}|add this {thing}', '    {sum} += {things}[{i}];'), END,
          ('the sum of all {things}|give back {sum}', 'return {sum};')),
    shape('product', ('the product of the {things}', '{type} product_of_{things}(const {type} *{things}, int {n})'),
          ('start with one', '{type} {sum} = 1;'), LOOP,
          ('multiply {sum} by the {thing}', '    {sum} *= {things}[{i}];'), END,
          ('the product of all {things}|give back {sum}', 'return {sum};')),
    shape('largest', ('the largest of the {things}|the greatest {thing}',
                      '{type} largest_{thing}(const {type} *{things}, int {n})'),
          ('begin with the first {thing}', '{type} {best} = {things}[0];'), LOOP,
          ('keep the {thing} if it is larger', '    if ({things}[{i}] > {best})'),
          (None, '        {best} = {things}[{i}];'), END,
          ('the largest {thing}|give back {best}', 'return {best};')),
    shape('smallest', ('the smallest of the {things}|the least {thing}',
                       '{type} smallest_{thing}(const {type} *{things}, int {n})'),
          ('begin with the first {thing}', '{type} {best} = {things}[0];'), LOOP,
          ('keep the {thing} if it is smaller', '    if ({things}[{i}] < {best})'),
          (None, '        {best} = {things}[{i}];'), END,
          ('the smallest {thing}|give back {best}', 'return {best};')),
    shape('above', ('how many {things} are above {limit}|the number of {things} above {limit}',
                    'int count_{things}_above(const {type} *{things}, int {n}, {type} {limit})'),
          ('none so far|start with nothing', 'int {sum} = 0;'), LOOP,
          ('is the {thing} above {limit}?', '    if ({things}[{i}] > {limit})'),
          ('then count it|one more', '        {sum}++;'), END,
          ('how many there were|give back {sum}', 'return {sum};')),
    shape('below', ('how many {things} are below {limit}|the number of {things} below {limit}',
                    'int count_{things}_below(const {type} *{things}, int {n}, {type} {limit})'),
          ('none so far|start with nothing', 'int {sum} = 0;'), LOOP,
          ('is the {thing} below {limit}?', '    if ({things}[{i}] < {limit})'),
          ('then count it|one more', '        {sum}++;'), END,
          ('how many there were|give back {sum}', 'return {sum};')),
    shape('find', ('where {wanted} is among the {things}, or -1',
                   'int find_{thing}(const {type} *{things}, int {n}, {type} {wanted})'), LOOP,
          ('is this {thing} {wanted}?|compare the {thing} with {wanted}', '    if ({things}[{i}] == {wanted})'),
          ('then this is the place|give back its place', '        return {i};'), END,
          ('it is not there|not found', 'return -1;')),
    shape('find_last', ('the last place of {wanted} among the {things}, or -1',
                        'int find_last_{thing}(const {type} *{things}, int {n}, {type} {wanted})'), BACK_LOOP,
          ('is this {thing} {wanted}?|compare the {thing} with {wanted}', '    if ({things}[{i}] == {wanted})'),
          ('then this is the place|give back its place', '        return {i};'), END,
          ('it is not there|not found', 'return -1;')),
    shape('average', ('the average of the {things}|the mean {thing}',
                      'double average_{thing}(const {type} *{things}, int {n})'),
          ('start with nothing', 'double {sum} = 0;'), LOOP,
          ('add the {thing} to {sum}|add this {thing}', '    {sum} += {things}[{i}];'), END,
          ('divide by the number of {things}|the sum divided by {n}', 'return {sum} / {n};')),
    shape('contains', ('whether {wanted} is one of the {things}',
                       'bool has_{thing}(const {type} *{things}, int {n}, {type} {wanted})'), LOOP,
          ('is this {thing} {wanted}?|compare the {thing} with {wanted}', '    if ({things}[{i}] == {wanted})'),
          ('yes, it is there', '        return true;'), END,
          ('no, it is not there', 'return false;')),
    shape('scale', ('multiply each of the {things} by {factor}',
                    'void scale_{things}({type} *{things}, int {n}, {type} {factor})'), LOOP,
          ('multiply the {thing} by {factor}', '    {things}[{i}] *= {factor};'), END),
    shape('raise', ('add {factor} to each of the {things}',
                    'void raise_{things}({type} *{things}, int {n}, {type} {factor})'), LOOP,
          ('add {factor} to the {thing}', '    {things}[{i}] += {factor};'), END),
    shape('fill', ('set each of the {things} to {wanted}',
                   'void fill_{things}({type} *{things}, int {n}, {type} {wanted})'), LOOP,
          ('set the {thing} to {wanted}', '    {things}[{i}] = {wanted};'), END),
    shape('copy', ('copy the {things} to {target}',
                   'void copy_{things}({type} *{target}, const {type} *{things}, int {n})'), LOOP,
          ('copy the {thing} to {target}', '    {target}[{i}] = {things}[{i}];'), END),
    shape('reverse', ('turn the order of the {things} round|reverse the {things}',
                      'void reverse_{things}({type} *{things}, int {n})'),
          ('visit the first half|go up to the middle', 'for (int {i} = 0; {i} < {n} / 2; {i}++) {{'),
          ('keep the {thing} for later', '    {type} {best} = {things}[{i}];'),
          ('the one from the other end comes here', '    {things}[{i}] = {things}[{n} - 1 - {i}];'),
          ('the kept one goes to the other end', '    {things}[{n} - 1 - {i}] = {best};'), END),
    shape('sorted', ('whether the {things} are in order', 'bool {things}_are_sorted(const {type} *{things}, int {n})'),
          ('visit each {thing} but the first', 'for (int {i} = 1; {i} < {n}; {i}++) {{'),
          ('is the one before it larger?', '    if ({things}[{i} - 1] > {things}[{i}])'),
          ('then they are not in order', '        return false;'), END,
          ('all are in order', 'return true;')),
    shape('clamp', ('the {thing}, but at least {a} and at most {b}',
                    '{type} clamp_{thing}({type} {thing}, {type} {a}, {type} {b})'),
          ('not less than {a}', 'if ({thing} < {a})'), (None, '    return {a};'),
          ('not more than {b}', 'if ({thing} > {b})'), (None, '    return {b};'),
          ('between the two it stays', 'return {thing};')),
    shape('larger', ('the larger one of two {things}', '{type} larger_{thing}({type} {a}, {type} {b})'),
          ('is {a} the larger one?', 'if ({a} > {b})'), ('then it is {a}', '    return {a};'),
          ('else it is {b}', 'return {b};')),
    shape('smaller', ('the smaller one of two {things}', '{type} smaller_{thing}({type} {a}, {type} {b})'),
          ('is {a} the smaller one?', 'if ({a} < {b})'), ('then it is {a}', '    return {a};'),
          ('else it is {b}', 'return {b};')),
    shape('difference', ('how far two {things} are apart', '{type} {thing}_difference({type} {a}, {type} {b})'),
          ('is {a} the larger one?', 'if ({a} > {b})'), ('then take {b} from {a}', '    return {a} - {b};'),
          ('else take {a} from {b}', 'return {b} - {a};')),
    shape('swap', ('swap two {things}', 'void swap_{things}({type} *{a}, {type} *{b})'),
          ('keep the {thing} of {a}', '{type} {best} = *{a};'),
          ('{a} takes the {thing} of {b}', '*{a} = *{b};'), ('{b} takes the kept {thing}', '*{b} = {best};')),
    shape('count_letter', ('how often {sign} is in {text}', 'int count_in_{text}(const char *{text}, char {sign})'),
          ('none so far|start with nothing', 'int {sum} = 0;'), TEXT_LOOP,
          ('is this character {sign}?', '    if ({text}[{i}] == {sign})'),
          ('then count it|one more', '        {sum}++;'), END,
          ('how many there were|give back {sum}', 'return {sum};')),
    shape('text_length', ('the number of characters of {text}', 'int length_of_{text}(const char *{text})'),
          ('none so far|start with nothing', 'int {sum} = 0;'),
          ('until {text} ends', 'while ({text}[{sum}])'), ('one more', '    {sum}++;'),
          ('how many there were|give back {sum}', 'return {sum};')),
    shape('replace', ('replace each {sign} in {text} by {wanted}',
                      'void replace_in_{text}(char *{text}, char {sign}, char {wanted})'), TEXT_LOOP,
          ('is this character {sign}?', '    if ({text}[{i}] == {sign})'),
          ('then put {wanted} there', '        {text}[{i}] = {wanted};'), END),
    shape('power', ('the power {n} of {a}', 'long power_of_{thing}(long {a}, int {n})'),
          ('start with one', 'long {sum} = 1;'),
          ('as often as {n} says', 'for (int {i} = 0; {i} < {n}; {i}++)'),
          ('multiply {sum} by {a}', '    {sum} *= {a};'), ('give back {sum}', 'return {sum};')),
    shape('add_arrays', ('add the {things} of {b} to those of {a}',
                         'void add_{things}({type} *{a}, const {type} *{b}, int {n})'), LOOP,
          ('add the {thing} of {b} to that of {a}', '    {a}[{i}] += {b}[{i}];'), END),
    shape('equal', ('whether the {things} of {a} and {b} are the same',
                    'bool same_{things}(const {type} *{a}, const {type} *{b}, int {n})'), LOOP,
          ('are the two {things} different?', '    if ({a}[{i}] != {b}[{i}])'),
          ('then {a} and {b} are not the same', '        return false;'), END,
          ('all {things} are the same', 'return true;')),
    shape('print', ('print the {things}', 'void print_{things}(const {type} *{things}, int {n})'), LOOP,
          ('print the {thing}', '    printf("{format}\\n", {things}[{i}]);'), END),
]
FORMATS = {'int': '%d', 'long': '%ld', 'double': '%g'}


def choose_names(draw):
    thing, things, kind = draw.pick(THINGS)
    a, b = draw.pick(FIRSTS)
    return {'thing': thing, 'things': things, 'type': kind, 'format': FORMATS[kind],
            'n': draw.pick(COUNTS), 'i': draw.pick(INDEXES), 'sum': draw.pick(SUMS),
            'best': draw.pick(BESTS), 'limit': draw.pick(LIMITS), 'text': draw.pick(TEXTS),
            'sign': draw.pick(SIGNS[:2]), 'wanted': draw.pick(SIGNS[2:3] + ['searched', 'new_one']),
            'factor': draw.pick(FACTORS), 'a': a, 'b': b, 'target': draw.pick(TARGETS)}


def wording(draw, comment, names):
    return draw.pick(comment.split('|')).format(**names)


def function(draw, training):
    """A function of the part asked for: (its text, where the lines of its statements are). A
    combination of shape and names is of one part, in whatever words its comments are."""
    while True:
        name, (about, head), lines = draw.pick(SHAPES)
        names = choose_names(draw)
        code = [head.format(**names)] + [line.format(**names) for _, line in lines]
        if held_out('\n'.join(code)) != training:
            break
    text = [f'/* {wording(draw, about, names).capitalize()}. */', code[0], '{']
    statements = []
    for (comment, _), line in zip(lines, code[1:]):
        if comment:
            indent = line[:len(line) - len(line.lstrip())]
            text.append(f'    {indent}/* {wording(draw, comment, names)} */')
        if line.strip() != '}':
            statements.append(len(text))
        text.append('    ' + line)
    return text + ['}'], statements


def plain(draw, training):
    return '\n'.join(function(draw, training)[0]) + '\n'


def removed_line(draw, training):
    """(prefix, suffix, the line between them without its newline)"""
    text, statements = function(draw, training)
    at = draw.pick(statements)
    return '\n'.join(text[:at]) + '\n', '\n' + '\n'.join(text[at + 1:]) + '\n', text[at]


def removed_part(draw, training):
    """(prefix, suffix, middle): of two lines, or from any place to another."""
    text, statements = function(draw, training)
    if draw.chance(50) and len(statements) > 1:
        at = draw.number(len(text) - 4) + 2
        return '\n'.join(text[:at]) + '\n', '\n' + '\n'.join(text[at + 2:]) + '\n', '\n'.join(text[at:at + 2])
    whole = '\n'.join(text) + '\n'
    start = draw.number(len(whole) - 2)
    end = min(len(whole), start + 1 + draw.number(60))
    return whole[:start], whole[end:], whole[start:end]


def fill_in(prefix, suffix, middle):
    return f'<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>{middle}'


def unseen_lines(count):
    """The `count` functions of the test: [(prefix, suffix, line)], none twice."""
    found, seen, number = [], set(), 0
    while len(found) < count:
        case = removed_line(Draw('fill-in test', number), False)
        number += 1
        if case not in seen:
            seen.add(case)
            found.append(case)
    return found
