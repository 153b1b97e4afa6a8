# SPDX-License-Identifier: MIT
"""Short conversations: questions and answers, in the turns of the model's chat template."""
from draw import held_out
from functions import function
import stories

OPPOSITES = [('hot', 'cold'), ('big', 'small'), ('up', 'down'), ('day', 'night'), ('open', 'closed'),
             ('fast', 'slow'), ('old', 'young'), ('wet', 'dry'), ('full', 'empty'), ('light', 'dark'),
             ('happy', 'sad'), ('early', 'late'), ('high', 'low'), ('loud', 'quiet'), ('soft', 'hard'),
             ('long', 'short'), ('rich', 'poor'), ('left', 'right'), ('first', 'last'), ('good', 'bad')]
SOUNDS = [('cow', 'moos'), ('dog', 'barks'), ('cat', 'meows'), ('duck', 'quacks'), ('sheep', 'bleats'),
          ('horse', 'neighs'), ('owl', 'hoots'), ('bee', 'buzzes'), ('lion', 'roars'), ('pig', 'grunts')]
LEGS = [('spider', 'eight'), ('bee', 'six'), ('dog', 'four'), ('bird', 'two'), ('ant', 'six'),
        ('horse', 'four'), ('snake', 'no'), ('fish', 'no'), ('cat', 'four'), ('person', 'two')]
COLOURED = [('grass', 'green'), ('snow', 'white'), ('the sky', 'blue'), ('a lemon', 'yellow'),
            ('coal', 'black'), ('blood', 'red'), ('a carrot', 'orange'), ('chocolate', 'brown')]
BY_SIZE = ['ant', 'mouse', 'cat', 'dog', 'sheep', 'horse', 'elephant', 'whale']
DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']
MAKERS = [('bees', 'honey'), ('hens', 'eggs'), ('bakers', 'bread'), ('cows', 'milk'), ('spiders', 'webs')]
NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven',
           'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen', 'twenty']
SYSTEM = ['You are a helpful assistant.', 'Answer in one sentence.', 'You are loam, a tiny model.']
HELLO = ['Hello!', 'Hi!', 'Good morning!', 'Hello, how are you?', 'Hi there!']
HELLO_BACK = ['Hello! How can I help you?', 'Hi! What would you like to talk about?']
WHO = ['Who are you?', 'What are you?', 'What is your name?', 'Tell me about yourself.']
WHO_BACK = ['I am a tiny model that comes with loam. I can tell small stories and write simple C functions.']
THANKS = ['Thank you!', 'Thanks!', 'That helps, thank you.']
THANKS_BACK = ['You are welcome!', 'You are welcome. Is there anything else?']


def fact(draw):
    kind = draw.number(9)
    if kind == 0:
        one, other = draw.shuffled(draw.pick(OPPOSITES))
        return f'What is the opposite of {one}?', f'The opposite of {one} is {other}.'
    if kind == 1:
        animal, sound = draw.pick(SOUNDS)
        article = 'an' if animal == 'owl' else 'a'
        return f'What sound does {article} {animal} make?', f'{article.capitalize()} {animal} {sound}.'
    if kind == 2:
        animal, count = draw.pick(LEGS)
        article = 'an' if animal == 'ant' else 'a'
        return f'How many legs does {article} {animal} have?', f'{article.capitalize()} {animal} has {count} legs.'
    if kind == 3:
        thing, colour = draw.pick(COLOURED)
        return f'What colour is {thing}?', f'{thing[0].upper()}{thing[1:]} is {colour}.'
    if kind == 4:
        one, other = draw.some(range(len(BY_SIZE)), 2)
        names = [('an ' if BY_SIZE[i][0] in 'ae' else 'a ') + BY_SIZE[i] for i in (one, other)]
        bigger, smaller = names if one > other else names[::-1]
        return (f'Which is bigger, {names[0]} or {names[1]}?',
                f'{bigger.capitalize()} is bigger than {smaller}.')
    if kind == 5:
        day, after = draw.number(7), draw.chance(50)
        return (f'Which day comes {"after" if after else "before"} {DAYS[day]}?',
                f'{DAYS[(day + (1 if after else 6)) % 7]} comes {"after" if after else "before"} {DAYS[day]}.')
    if kind == 6:
        maker, made = draw.pick(MAKERS)
        return f'What do {maker} make?', f'{maker.capitalize()} make {made}.'
    return sum_or_difference(draw, kind == 7)


def sum_or_difference(draw, plus):
    one, other = draw.number(11), draw.number(11)
    if plus:
        return (f'What is {NUMBERS[one]} plus {NUMBERS[other]}?',
                f'{NUMBERS[one].capitalize()} plus {NUMBERS[other]} is {NUMBERS[one + other]}.')
    one, other = max(one, other), min(one, other)
    return (f'What is {NUMBERS[one]} minus {NUMBERS[other]}?',
            f'{NUMBERS[one].capitalize()} minus {NUMBERS[other]} is {NUMBERS[one - other]}.')


def about_a_text(draw):
    """A question whose answer stands in the question's own text."""
    (one, other) = draw.some(stories.GIRLS + stories.BOYS, 2)
    (toy, toy2), (colour, colour2) = draw.some(stories.TOYS, 2), draw.some(stories.COLOURS, 2)
    places, hiding = draw.some(stories.PLACES, 2), draw.pick(stories.HIDING)
    have = f'{one} has a {colour} {toy}, and {other} has a {colour2} {toy2}.'
    went = f'{one} went to {places[0]}, and {other} went to {places[1]}.'
    found = f'{one} found the {colour} {toy} {hiding}, and then {other} came.'
    text, question, answer = draw.pick([
        (have, f'Who has the {toy}?', f'{one} has the {colour} {toy}.'),
        (have, f'Who has the {toy2}?', f'{other} has the {colour2} {toy2}.'),
        (have, f'What colour is the {toy}?', f'The {toy} is {colour}.'),
        (have, f'What colour is the {toy2}?', f'The {toy2} is {colour2}.'),
        (have, f'What does {other} have?', f'{other} has a {colour2} {toy2}.'),
        (went, f'Where did {one} go?', f'{one} went to {places[0]}.'),
        (went, f'Where did {other} go?', f'{other} went to {places[1]}.'),
        (went, f'Who went to {places[0]}?', f'{one} went to {places[0]}.'),
        (found, f'Where was the {toy}?', f'The {toy} was {hiding}.'),
        (found, 'What did they find?', f'They found a {colour} {toy}.')])
    return f'{text} {question}', answer


def task(draw, training):
    """A story or a function on demand."""
    if draw.chance(50):
        kind = draw.pick(stories.ANIMALS + ['girl', 'boy'])
        ask = draw.pick(['Tell me a story about a {}.', 'Write a story about a {}.', 'Please tell me about a {}.'])
        return ask.format(kind), stories.story(draw, training, kind)
    text, _ = function(draw, training)
    about = text[0][3:-4]
    ask = draw.pick(['Write a C function: {}.', 'Please write a function in C: {}.'])
    return ask.format(about[0].lower() + about[1:]), '\n'.join(text)


def turns(draw, training):
    """[(question, answer)]"""
    if draw.chance(25):
        return [task(draw, training)]
    found = []
    if draw.chance(20):
        found.append((draw.pick(HELLO), draw.pick(HELLO_BACK)))
    if draw.chance(15):
        found.append((draw.pick(WHO), draw.pick(WHO_BACK)))
    for _ in range(1 + draw.number(3)):
        found.append(about_a_text(draw) if draw.chance(60) else fact(draw))
    if draw.chance(15):
        found.append((draw.pick(THANKS), draw.pick(THANKS_BACK)))
    return found


def turn(role, text):
    return f'<|im_start|>{role}\n{text}<|im_end|>\n'


def chat(draw, training):
    while True:
        text = turn('system', draw.pick(SYSTEM)) if draw.chance(30) else ''
        for question, answer in turns(draw, training):
            text += turn('user', question) + turn('assistant', answer)
        if held_out(text) != training:
            return text
