# SPDX-License-Identifier: MIT
"""Short stories in simple English, from a grammar.

A plot is a list of sentences in order; each has several wordings, and some may be left out. Names,
places and things are chosen once for each story and come back all through it."""
from draw import Draw, held_out

GIRLS = ['Lily', 'Mia', 'Anna', 'Rosa', 'Emma', 'Nora', 'Zoe', 'Ella', 'Ruth', 'Sara', 'Maya', 'Lucy']
BOYS = ['Tom', 'Ben', 'Max', 'Sam', 'Leo', 'Jack', 'Finn', 'Omar', 'Paul', 'Hugo', 'Tim', 'Noah']
CHILDREN = {'girl': GIRLS, 'boy': BOYS}
ANIMALS = ['fox', 'bear', 'rabbit', 'mouse', 'duck', 'hedgehog', 'frog', 'squirrel', 'cat', 'dog',
           'goat', 'lamb']
NATURES = ['little', 'small', 'young', 'kind', 'brave', 'shy', 'clever', 'cheerful', 'curious', 'quiet']
HOMES = ['in a village by the sea', 'in a house near the forest', 'in a small town', 'on a farm on a hill',
         'in a hut by the lake', 'at the edge of a big wood', 'near a wide river', 'in a green valley',
         'in a street with tall trees', 'next to an old mill']
COLOURS = ['red', 'blue', 'green', 'yellow', 'white', 'brown', 'black', 'purple', 'pink', 'grey']
TOYS = ['ball', 'kite', 'hat', 'boat', 'drum', 'book', 'lamp', 'basket', 'whistle', 'key', 'scarf',
        'box', 'cup', 'bell', 'coat', 'bag']
PLACES = ['the park', 'the forest', 'the beach', 'the river', 'the market', 'the garden', 'the lake',
          'the meadow', 'the old bridge', 'the school', 'the mill', 'the hill']
HIDING = ['under a bench', 'behind a tree', 'in the tall grass', 'under a bush', 'next to a big stone',
          'in an empty barrel', 'behind a door', 'under some leaves', 'on a low branch', 'beside the path']
FOODS = ['apples', 'pears', 'nuts', 'plums', 'cherries', 'carrots', 'cookies', 'buns', 'berries', 'pancakes']
FAMILY = ['mother', 'father', 'grandmother', 'grandfather', 'sister', 'brother', 'aunt', 'uncle']
SKILLS = ['swim', 'ride a bike', 'whistle', 'draw a horse', 'climb a tree', 'skate', 'play the flute',
          'bake bread', 'row a boat', 'read', 'tie a knot', 'dance']
WEATHER = ['sunny', 'warm', 'cold', 'windy', 'cloudy', 'bright', 'foggy', 'rainy']
FLOWERS = ['sunflower', 'rose', 'tulip', 'daisy', 'bean', 'pumpkin', 'lily of the valley', 'cherry tree']
CAKES = ['cake', 'pie', 'soup', 'loaf of bread', 'pizza', 'pudding']
MISSING = ['eggs', 'milk', 'flour', 'butter', 'salt', 'sugar', 'honey']
NOISES = ['a tapping', 'a long howl', 'a soft scratching', 'a loud bang', 'a strange hum', 'a creak']
CAUSES = ['an owl in the tree', 'a branch at the window', 'the wind in the chimney', 'a hungry cat',
          'the old clock in the hall', 'a mouse behind the wall']
SOFT = ['box', 'basket', 'hat', 'bag', 'scarf', 'coat']

OPENING = ['Once upon a time there was a {nature} {kind} named {hero}. {He} lived {home}.',
           'Once upon a time there was a {nature} {kind}. {His} name was {hero}, and {he} lived {home}.',
           'Once upon a time, {home}, there lived a {nature} {kind} named {hero}.',
           'There once was a {nature} {kind} named {hero} who lived {home}.',
           'Once upon a time a {nature} {kind} named {hero} lived {home}.',
           '{hero} was a {nature} {kind}. {He} lived {home}.',
           'Long ago a {nature} {kind} named {hero} lived {home}.',
           'There was once a {nature} {kind}, and {his} name was {hero}.',
           'This is the story of {hero}, a {nature} {kind}. {He} lived {home}.',
           'The {nature} {kind} was named {hero} and lived {home}.']
DAY = ['One {weather} day', 'One {weather} morning', 'On a {weather} afternoon', 'One day', 'One morning']
FRIEND = ['{His} best friend was a {friend_kind} named {friend}.',
          '{He} had a friend, a {friend_kind} named {friend}.',
          '{hero} often played with {friend}, a {friend_nature} {friend_kind}.']
ENDING = ['From that day on, {hero} and {friend} were the best of friends.',
          '{hero} and {friend} laughed and went home together.',
          'That night, {hero} was tired but very happy.',
          'And {hero} never forgot that day.',
          '{hero} had learned that {lesson}.',
          '"Now I know that {lesson}," said {hero}.',
          'In the evening {hero} told {his} {family} all about it.']

LOST = [
    ['{hero} had a {colour} {toy}. {He} loved it very much.', "{His} favourite thing was a {colour} {toy}.",
     '{His} {family} had given {him} a {colour} {toy}.'],
    ['{day}, {hero} took the {toy} to {place}.', '{day}, {hero} went to {place} with {his} {colour} {toy}.'],
    ['{He} played there for a long time.', '{He} ran and jumped until {he} was tired.', ''],
    ['But when {he} wanted to go home, the {toy} was gone!', 'Then {he} saw that {his} {toy} was not there any more.'],
    ['{hero} was very sad and began to cry.', '"Oh no, where is my {colour} {toy}?" said {hero}.',
     '{hero} did not know what to do.'],
    ['{friend} came along and asked, "Why are you sad?"', 'Then {he} met {friend}. "What is wrong?" asked {friend}.'],
    ['"I have lost my {toy}," said {hero}.', '"My {colour} {toy} is gone," {hero} answered.'],
    ['"I will help you," said {friend}.', '"Let us look for it together," said {friend}.'],
    ['First they looked {hiding}, but there was nothing.', 'They looked {hiding}, but it was not there.', ''],
    ['Then {friend} looked {hiding2}. There was the {colour} {toy}!',
     'At last they found the {colour} {toy} {hiding2}.'],
    ['{hero} was so happy that {he} gave {friend} a big hug.', '"Thank you, {friend}!" said {hero}.'],
]
SHARE = [
    ['{day}, {hero} went to {place} and found a lot of {food}.',
     '{day}, {his} {family} gave {hero} a {colour} bag full of {food}.'],
    ['{He} wanted to eat all of the {food}.', '"These {food} are all for me," {he} thought.',
     '{hero} liked {food} more than anything else.'],
    ['Then {friend} came by. {Friend_he} looked hungry.', 'On the way home {he} met {friend}, who had nothing to eat.'],
    ['"May I have some of your {food}?" asked {friend}.', '"Your {food} look so good," said {friend}.'],
    ['First {hero} did not want to share.', '{hero} thought about it for a while.', ''],
    ['But then {he} gave half of the {food} to {friend}.', 'Then {hero} said, "Yes, let us eat them together."'],
    ['They sat down {hiding} and ate.', 'They ate the {food} and talked until it was dark.'],
    ['"Thank you, {hero}," said {friend}. "You are very kind."', '{friend} smiled. "That was good!" {friend_he} said.'],
]
SKILL = [
    ['{hero} wanted to learn to {skill}.', 'More than anything, {hero} wanted to {skill}.'],
    ['{day}, {he} went to {place} to try it.', '{day}, {he} tried it for the first time.'],
    ['But it was hard, and it went wrong.', 'It was not easy at all.', 'But {he} could not do it.'],
    ['{friend} laughed, but {hero} did not give up.', '"I will never learn to {skill}," said {hero}.',
     '{hero} was angry and sat down {hiding}.'],
    ['Then {his} {family} said, "You must try again every day."', '"Do not worry," said {friend}. "I can show you."'],
    ['So {hero} tried again the next day, and the day after that.', 'They went to {place} every day and tried again.'],
    ['After a week {he} could do it a little.', 'Slowly {he} became better.', ''],
    ['At last {hero} could {skill}!', 'And one day {hero} could {skill} as well as {friend}.'],
    ['{His} {family} was very proud of {him}.', '"Look at me!" {he} called, and {friend} clapped.'],
]
PLANT = [
    ['{day}, {his} {family} gave {hero} a seed.', '{day}, {hero} found a seed near {place}.'],
    ['{He} put it into the ground {hiding}.', '{hero} planted it in a {colour} pot.'],
    ['{He} gave it water every day.', 'Each morning {he} came with water.'],
    ['But nothing happened for a long time.', 'For two weeks there was nothing to see.'],
    ['"It will never grow," said {friend}.', '"Be patient," said {friend}.', '{hero} became sad.'],
    ['Then one morning there was something green.', 'At last a little green leaf came out.'],
    ['It grew and grew.', 'It became taller every day.', ''],
    ['In summer it was a big {flower}!', 'It became the most beautiful {flower} of all.'],
    ['{hero} showed the {flower} to {friend}.', 'Everybody came to see the {flower}.'],
]
BAKE = [
    ['{day}, {hero} wanted to make a {cake} for {his} {family}.',
     "It was the birthday of {his} {family}, and {hero} wanted to make a {cake}."],
    ['{friend} came to help.', '"May I help you?" asked {friend}.'],
    ['But there was no {missing} in the kitchen.', 'They looked everywhere, but they had no {missing}.'],
    ['So they went to {place} to get some {missing}.', '"Let us ask at {place}," said {friend}.'],
    ['An old woman there gave them some {missing}.', 'There they got the {missing} from a friendly man.'],
    ['They ran back home and went to work.', 'Back in the kitchen, {hero} mixed everything in a {colour} bowl.'],
    ['Soon the {cake} smelled wonderful.', 'After an hour the {cake} was ready.'],
    ['{His} {family} was very surprised.', '"What a fine {cake}!" said {his} {family}.'],
    ['They all ate it together.', 'Soon nothing of the {cake} was left.'],
]
NIGHT = [
    ['One night {hero} could not sleep.', 'One night {hero} woke up.'],
    ['{He} heard {noise}.', 'There was {noise} outside.'],
    ['"What is that?" {he} thought. {He} was afraid.', '{hero} hid under the blanket.'],
    ['Then {he} went to {friend} and woke {friend_him} up.', '{He} called for {friend}.'],
    ['"Did you hear that?" {hero} asked.', '"I hear it too," said {friend}.'],
    ['They took a {colour} lamp and went to look.', '{friend} took {his_hand} hand, and they went outside.'],
    ['But it was only {cause}.', 'And what did they see? It was {cause}!'],
    ['They both had to laugh.', '"How silly of us," said {friend}.'],
    ['Then {hero} went back to bed and slept well.', 'After that {hero} was not afraid any more.'],
]
RIVER = [
    ['{day}, {hero} and {friend} went for a walk to {place}.', '{day}, {hero} wanted to visit {place} with {friend}.'],
    ['But on the way there was deep water, and no bridge.', 'But the way was closed by a fallen tree.'],
    ['"We must go back," said {friend}.', '"What shall we do now?" asked {friend}.'],
    ['{hero} looked around and found a long rope {hiding}.', '{hero} found some strong boards {hiding}.'],
    ['"We can use this," {he} said.', '{He} had an idea.'],
    ['They worked hard for an hour.', '{friend} pulled and {hero} pushed.'],
    ['Then they could go on.', 'At last the way was free.'],
    ['When they came to {place}, they ate the {food} that {hero} had brought.',
     'At {place} they sat down and rested. {friend} had brought some {food}.'],
]
QUARREL = [
    ['{day}, {hero} and {friend} played with a {colour} {toy}.', '{day}, {hero} and {friend} found a {colour} {toy}.'],
    ['"It is mine!" said {hero}.', '"I want to have it," said {hero}.'],
    ['"No, it is mine!" said {friend}.', '"But I saw it first," said {friend}.'],
    ['{hero} pulled on one side and {friend} on the other.', 'They shouted at each other.'],
    ['Then the {toy} fell into the mud.', 'And then they dropped the {toy}, and it was dirty.'],
    ['{friend} went away to {place}.', '{friend} was angry and walked to {place}.'],
    ['Without {friend} it was boring.', 'Soon {hero} felt sorry.'],
    ['So {he} cleaned the {colour} {toy} and went to look for {friend}.', 'So {he} washed the {toy} and took it to {place}.'],
    ['{He} found {friend_him} {hiding}.', '{friend} was sitting {hiding}.'],
    ['"I am sorry," said {hero}.', '"Please be my friend again," said {hero}.'],
    ['"I am sorry too," said {friend}.', '{friend} smiled and nodded.'],
]
RESCUE = [
    ['{day}, {hero} and {friend} walked to {place}.', '{day}, {hero} was on the way to {place} with {friend}.'],
    ['Suddenly they heard a small voice {hiding}.', 'There was a little bird {hiding}.'],
    ['It was a bird that could not fly.', '"Look, it cannot fly any more!" said {hero}.'],
    ['"We must help it," said {friend}.', '{hero} took it up very carefully.'],
    ['They put it into a {colour} {toy} and carried it home.', 'They made a bed for it in a {colour} {toy}.'],
    ['Every day {hero} gave it water and {food}.', '{His} {family} showed them what to do.'],
    ['After a week the bird was well again.', 'Slowly the bird became stronger.'],
    ['Then {hero} let it go at {place}.', 'One morning it flew away over {place}.'],
    ['It sang a song for them.', '"Goodbye, little bird!" called {friend}.', ''],
]
TREASURE = [
    ['{day}, {hero} found an old map {hiding}.', '{day}, {his} {family} showed {hero} an old map.'],
    ['{He} showed it to {friend} at once.', '"Look at this, {friend}!" {he} said.'],
    ['The map showed the way to {place}.', '"We have to go to {place}," said {friend}.'],
    ['They packed some {food} and left.', 'With a {colour} lamp they went on their way.'],
    ['The way was long, and {friend} became tired.', 'They walked for hours.', ''],
    ['At {place} they began to dig.', 'At last they came to {place}.'],
    ['{hiding2_start} they found a {colour} {toy}.', 'There was something {hiding2}. It was a {colour} {toy}!'],
    ['"This is better than gold," said {hero}.', '"What a wonderful treasure!" said {friend}.'],
]
RACE = [
    ['{day} there was a race at {place}.', '{day}, all the children met at {place} for a race.'],
    ['{hero} wanted to win a {colour} {toy}.', 'The prize was a {colour} {toy}.'],
    ['{friend} was very fast, but {hero} was not afraid.', '"I am faster than you," said {friend}.'],
    ['They ran as fast as they could.', 'One, two, three, and off they went!'],
    ['Then {friend} fell and hurt a leg.', 'But near the end {friend} fell down.'],
    ['{hero} could have won, but {he} stopped.', '{hero} turned round and went back.'],
    ['"Take my hand," {he} said.', '{He} helped {friend_him} up.'],
    ['Together they came to the end, last of all.', 'They walked the rest of the way side by side.'],
    ['But everybody clapped, and both got the {toy}.', '{friend} gave {hero} some {food} to say thank you.'],
]
# Each with what one may learn from it.
PLOTS = [
    (LOST, ['it is good to ask for help', 'two see more than one']),
    (SHARE, ['sharing makes everybody happy', 'being kind costs nothing']),
    (SKILL, ['one should never give up', 'it takes time to learn something']),
    (PLANT, ['it helps to be patient', 'good things need time']),
    (BAKE, ['it is good to ask for help', 'everything is easier with a friend']),
    (NIGHT, ['most noises have a simple cause', 'it is less dark with a friend']),
    (RIVER, ['one should never give up', 'there is always a way']),
    (QUARREL, ['a friend is worth more than a toy', 'it is good to say sorry']),
    (RESCUE, ['small things can matter a lot', 'being kind costs nothing']),
    (TREASURE, ['the way is part of the fun', 'everything is easier with a friend']),
    (RACE, ['winning is not everything', 'a friend is worth more than a prize']),
]


def somebody(draw, kind=None):
    """(name, kind, whether female)"""
    female = draw.chance(50)
    if kind in CHILDREN:
        female = kind == 'girl'
    kind = kind or (('girl' if female else 'boy') if draw.chance(50) else draw.pick(ANIMALS))
    return draw.pick(GIRLS if female else BOYS), kind, female


def choose_names(draw, kind=None):
    hero, kind, female = somebody(draw, kind)
    friend, friend_kind, friend_female = somebody(draw)
    while friend == hero:
        friend, friend_kind, friend_female = somebody(draw)
    hiding, hiding2 = draw.some(HIDING, 2)
    nature, friend_nature = draw.some(NATURES, 2)
    he, his, him = ('she', 'her', 'her') if female else ('he', 'his', 'him')
    friend_he, friend_him = ('she', 'her') if friend_female else ('he', 'him')
    return {'hero': hero, 'kind': kind, 'nature': nature, 'he': he, 'his': his, 'him': him,
            'He': he.capitalize(), 'His': his.capitalize(), 'his_hand': his,
            'friend': friend, 'friend_kind': friend_kind, 'friend_nature': friend_nature,
            'friend_he': friend_he, 'friend_him': friend_him, 'Friend_he': friend_he.capitalize(),
            'home': draw.pick(HOMES), 'weather': draw.pick(WEATHER), 'colour': draw.pick(COLOURS),
            'toy': draw.pick(TOYS), 'place': draw.pick(PLACES),
            'hiding2_start': hiding2[0].upper() + hiding2[1:], 'hiding': hiding, 'hiding2': hiding2,
            'food': draw.pick(FOODS), 'family': draw.pick(FAMILY), 'skill': draw.pick(SKILLS),
            'flower': draw.pick(FLOWERS), 'cake': draw.pick(CAKES), 'missing': draw.pick(MISSING),
            'noise': draw.pick(NOISES), 'cause': draw.pick(CAUSES)}


def told(draw, names):
    names['day'] = draw.pick(DAY).format(**names)
    plot, lessons = draw.pick(PLOTS)
    names['lesson'] = draw.pick(lessons)
    if plot is RESCUE:
        names['toy'] = draw.pick(SOFT)
    sentences = [draw.pick(OPENING), draw.pick(FRIEND)] + [draw.pick(choices) for choices in plot]
    sentences.append(draw.pick(ENDING))
    if draw.chance(10):  # begun in the middle, so that any beginning can be continued
        sentences = sentences[1 + draw.number(3):]
    return ' '.join(sentence.format(**names) for sentence in sentences if sentence)


def story(draw, training, kind=None):
    while True:
        text = told(draw, choose_names(draw, kind))
        if held_out(text) != training:
            return text
