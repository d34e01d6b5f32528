#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes templates.jsonl: snippets of the template language with what jinja2 makes of them, in the
environment that chat templates are rendered in. Needs jinja2; `make check` needs the result only.

    templates.py > templates.jsonl
"""
import copy
import datetime
import json
import re
import warnings

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_call"), [], [], body).set_lineno(line)

    def _call(self, caller):
        return caller()


def raise_exception(message):
    raise TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                    extensions=[Generation, loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception
env.globals["strftime_now"] = datetime.datetime(2026, 1, 15, 12, 34, 56).strftime

CONTEXT = {'l':[3,1,2],'s':'héllo wörld','d':{'b':1,'a':[2],'C':None},'objs':[{'n':'x','v':1},{'n':'Y','v':2},{'n':'x','v':3}],'mix':[1,'a',None,True,[],{}],'words':['banana','Apple','cherry'],'n':5,'f':2.5,'neg':-7,'e':'','t':' \t padded \n','none':None,'big':12345678901234567890,'msgs':[{'role':'user','content':'hi <b>'},{'role':'assistant','content':'yo','tool_calls':[{'function':{'name':'f','arguments':{'x':1,'y':[1,2]}}}]}]}
# one template per line; of a line without tags each expression is one of its own
LINES = r'''
{{ 'abc' ~ 1 ~ none ~ true ~ 1.5 ~ [1,'a'] ~ {'a':1} ~ undefinedvar }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 3 }} {{ 2 ** -2 }} {{ 2.0 ** 3 }} {{ 9 ** 0.5 }}
{{ 1e3 }} {{ 1.5e-7 }} {{ 123456789012345678.0 }} {{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1.0 }} {{ 100000.0 }} {{ 3.14159265358979 }} {{ 1e22 }} {{ 1.7976931348623157e308 }} {{ 5e-324 }}
{{ 0.1 + 0.2 }} {{ 1/3 }} {{ 2/3 }} {{ 10/4 }} {{ 1e100 }} {{ -0.0 }} {{ 1 - 1.0 }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ objs | sort(attribute='n') }} {{ objs | sort(attribute='n,v', reverse=true) }}
{{ l | join }} {{ l | join('-') }} {{ objs | join(',', attribute='n') }} {{ 'abc' | join('.') }} {{ d | join(',') }}
{{ l | first }} {{ l | last }} {{ s | first }} {{ s | last }} {{ [] | first }} {{ '' | last }} {{ d | first }} {{ d|last }}
{{ l | min }} {{ l | max }} {{ words | min }} {{ words | max }} {{ objs | min(attribute='v') }} {{ [] | min }} {{ [] | max is undefined }}
{{ l | sum }} {{ objs | sum(attribute='v') }} {{ l | sum(start=10) }} {{ [] | sum }} {{ [1.5,2]|sum }}
{{ l | unique | list }} {{ ['a','A','b'] | unique | list }} {{ ['a','A','b'] | unique(true) | list }} {{ objs | unique(attribute='n') | list }}
{{ objs | map(attribute='n') | list }} {{ objs | map(attribute='zz', default='D') | list }} {{ objs | map(attribute='zz') | list }} {{ words | map('upper') | list }} {{ words | map('replace','a','_') | list }}
{{ objs | selectattr('n','equalto','x') | list }} {{ objs | rejectattr('n','eq','x') | list }} {{ objs | selectattr('v') | list }} {{ mix | select | list }} {{ l | select('>', 1) | list }} {{ l | select('odd') | list }} {{ l | reject('even') | list }}
{{ objs | groupby('n') }} {{ objs | groupby('n', case_sensitive=true) }} {% for g in objs|groupby('n') %}{{ g.grouper }}{{ g.list|length }}{{ g[0] }}{% endfor %} {% for k, v in objs|groupby('v') %}{{k}}{{v}}{% endfor %}
{{ l | batch(2) | list }} {{ l | batch(2,'x') | list }} {{ l | slice(2) | list }} {{ l | slice(2,'x') | list }} {{ range(7) | slice(3) | list }} {{ range(7)|batch(3,0)|list}}
{{ 42.55 | round }} {{ 42.55 | round(1) }} {{ 42.55 | round(1,'floor') }} {{ 42.55|round(1,'ceil') }} {{ 2.5|round }} {{ 3.5|round }} {{ 5|round }} {{ 1234|round(-2) }} {{ 2.675|round(2) }} {{ -2.5|round }} {{ 1.005|round(2) }} {{ 1250|round(-2) }} {{ 1350|round(-2) }} {{ 5|round(1,'ceil') }} {{ true|round }}
{{ '42'|int }} {{ '42.9'|int }} {{ ' 42 '|int }} {{ 'x'|int }} {{ 'x'|int(-1) }} {{ '0x1f'|int(0,16) }} {{ '1f'|int(0,16) }} {{ '0b11'|int(0,2) }} {{ '0o17'|int(0,8) }} {{ '1_000'|int }} {{ 3.99|int }} {{ -3.99|int }} {{ none|int }} {{ true|int }} {{ '-5'|int }} {{ '+5'|int }} {{ '1e3'|int }} {{ [1]|int }} {{ '0x1f'|int }} {{'12'|int(base=8)}} {{ 'inf'|int(9) }}
{{ '3.5'|float }} {{ 'x'|float }} {{ '1e5'|float }} {{ 3|float }} {{ 'inf'|float }} {{ '-inf'|float }} {{ 'nan'|float }} {{ ' 1.5 '|float }} {{ '1_0.5'|float }} {{ none|float(7) }} {{ '0x10'|float }}
{{ 'hello world'|title }} {{ "it's o'clock-now (x) [y]"|title }} {{ "it's".title() }} {{ 'hELLO'|capitalize }} {{ 'ÉCOLE'|lower }} {{ 'straße'|upper }} {{ 'ﬁn'|upper }} {{ 'ΟΔΟΣ'|lower }} {{ 'ǆ'|title }} {{ 'ñandú ÑANDÚ'|title }}
{{ t|trim }}| {{ 'xxhixx'|trim('x') }} {{ 'xxhixx'.strip('x') }} {{ 'xxhixx'.lstrip('x') }} {{ 'abcba'.rstrip('ab') }} {{ t.strip() }}| {{ '\u00a0a\u3000'.strip() }}|
{{ 'a b  c '.split() }} {{ 'a b  c '.split(' ') }} {{ 'a,b,c'.split(',',1) }} {{ 'a,b,c'.rsplit(',',1) }} {{ ' a b  c '.split(none,1) }} {{ ' a b  c '.rsplit(none,1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'abc'.split('') }}
{{ ' a  b c '.rsplit() }} {{ ' a  b c '.rsplit(maxsplit=2) }} {{ ' a  b c '.split(maxsplit=0) }} {{ ' a  b c '.rsplit(maxsplit=0) }} {{ 'aXbXc'.rsplit('X') }} {{ 'a--b--c'.rsplit('--', 1) }} {{ '   '.split() }} {{ '  '.split(none, 1) }}
{{ 'abc'.partition('b') }} {{ 'abc'.partition('x') }} {{ 'abcbd'.rpartition('b') }} {{ 'abc'.rpartition('x') }}
{{ 'a\nb\r\nc\n'.splitlines() }} {{ 'a\nb'.splitlines(true) }} {{ 'a\n\nb\x0bc'.splitlines() }} {{ ''.splitlines() }} {{ 'a\u2028b\x85c'.splitlines(keepends=true) }}
{{ 'abcabc'.find('c') }} {{ 'abcabc'.find('c',3) }} {{ 'abcabc'.find('x') }} {{ 'abcabc'.rfind('c') }} {{ 'abcabc'.rfind('c',0,5) }} {{ 'abcabc'.index('b') }} {{ 'abcabc'.count('b') }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('') }} {{ 'héé'.find('é',2) }} {{ 'abc'.find('', 5) }} {{ 'abc'.find('',3) }} {{ 'abc'.find('a', -2) }} {{ 'abc'.count('', 1) }}
{{ 'abc'.startswith('a') }} {{ 'abc'.startswith(('x','a')) }} {{ 'abc'.endswith('c') }} {{ 'abc'.endswith(('x',)) }} {{ 'abc'.startswith('b',1) }} {{ 'abc'.startswith('') }} {{ 'abc'.endswith('b',0,2) }} {{ 'abc'.startswith('',4) }}
{{ 'abc'.replace('b','X') }} {{ 'aaa'.replace('a','b',2) }} {{ 'abc'.replace('','-') }} {{ 'abc'.replace('','-',2) }} {{ 'abc'|replace('b','X') }} {{ 5|replace(5,6) }} {{ ''.replace('','x') }} {{ 'éa'.replace('', '.') }}
{{ 'abc'.center(10) }}| {{ 'abc'.center(10,'*') }} {{ 'abc'.ljust(6,'.') }} {{ 'abc'.rjust(6,'.') }} {{ '42'.zfill(5) }} {{ '-42'.zfill(5) }} {{ 'abc'|center(9) }}| {{ 'abcd'.center(7,'*') }} {{ 'ab'.center(5,'*') }}
{{ 'abc'.isalpha() }} {{ 'ab1'.isalnum() }} {{ '12'.isdigit() }} {{ ''.isdigit() }} {{ ' '.isspace() }} {{ 'Ab'.isupper() }} {{ 'AB'.isupper() }} {{ 'ab1'.islower() }} {{ 'é'.isascii() }} {{ '١'.isdecimal() }} {{ '½'.isnumeric() }} {{ ''.isascii() }}
{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'x'.removesuffix('') }}
{{ '{} {}'.format(1,'a') }} {{ '{0} {1} {0}'.format(1,2) }} {{ '{a}'.format(a=3) }} {{ '{:>5}|{:<5}|{:^5}|'.format(1,2,3) }} {{ '{:.2f}'.format(3.14159) }} {{ '{:05d}'.format(42) }} {{ '{:,}'.format(1234567) }} {{ '{!r}'.format('a') }} {{ '{{}}'.format() }} {{ '{:x}'.format(255) }} {{ '{:e}'.format(12345.678) }} {{ '{:+}'.format(5) }} {{ '{:*^9}'.format('ab') }} {{ '{:.3}'.format('abcdef') }} {{ '{:%}'.format(0.25) }} {{ '{:.1%}'.format(0.256) }} {{ '{:,.2f}'.format(1234.5) }}
{{ '%s %d %f %.2f %5d|%-5d|%05d %x %X %o %e %g %r %c %%' % ('a',1,2.5,3.14159,42,42,42,255,255,8,12345.678,0.0001,'q','z') }}
{{ '%s' % 'x' }} {{ '%s' % [1] }} {{ '%(a)s-%(b)d' % {'a':1,'b':2} }} {{ '%s %s'|format('a','b') }} {{ '%(x)s'|format(x=1) }} {{ '%+d % d' % (5,5) }} {{ '%#x' % 255 }} {{ '%*d' % (5,42) }} {{ '%.3s' % 'abcdef' }} {{ '%10.3s|' % 'abcdef' }} {{ '%-10s|' % 'é' }} {{ '%d' % 3.7 }} {{ '%i' % true }}
{{ 'x' % () }} {{ 'x' % [] }} {{ 'a%%b' % () }}
{{ d }} {{ d.items() }} {{ d.keys() }} {{ d.values() }} {{ d|items|list }} {{ d|dictsort }} {{ d|dictsort(true) }} {{ {'b':2,'a':1}|dictsort(by='value') }} {{ {'b':2,'a':1}|dictsort(reverse=true) }} {{ d|list }} {{ d|length }} {{ d.get('b') }} {{ d.get('zz','q') }} {{ d.copy() }}
{{ l[0] }} {{ l[-1] }} {{ l[5] }} {{ l[1:] }} {{ l[:-1] }} {{ l[::-1] }} {{ l[::2] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[-3:] }} {{ s[:100] }} {{ s[5:2] }} {{ l[-100:100] }} {{ s[4::-2] }} {{ l[none:2] }} {{ (1,2,3)[1:] }}
{{ range(3) }} {{ range(3)|list }} {{ range(1,10,3)|list }} {{ range(5,0,-2)|list }} {{ range(3)|length }} {{ 2 in range(3) }} {{ range(10)[2] }} {{ range(0)|list }} {{ range(1,5) }} {{ range(0,10,2) }}
{{ 1 in l }} {{ 'ell' in 'hello' }} {{ 'a' in d }} {{ 'x' not in d }} {{ 1 in [true] }} {{ none in [none] }} {{ '' in '' }} {{ [1] in [[1]] }}
{{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 'a' }} {{ [1,2] == [1,2] }} {{ (1,2) == [1,2] }} {{ {'a':1} == {'a':1} }} {{ none == false }} {{ 1 < 2 <= 2 }} {{ 'a' < 'b' }} {{ [1,2] < [1,3] }} {{ (1,) < (1,2) }} {{ 1 != '1' }}
{{ 'a' if true }} {{ 'a' if false }} {{ 'a' if false else 'b' if false else 'c' }} {{ (1 if 0) is undefined }}
{{ not true }} {{ not not 1 }} {{ 1 and 2 }} {{ 0 and 2 }} {{ 0 or 'x' }} {{ '' or none }} {{ true and not false }} {{ not 1 == 2 }}
{{ x is defined }} {{ x is undefined }} {{ s is string }} {{ l is iterable }} {{ l is sequence }} {{ d is mapping }} {{ 1 is number }} {{ true is number }} {{ true is integer }} {{ 1.0 is float }} {{ none is none }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ range is callable }} {{ 'a' is lower }} {{ 'A' is upper }} {{ 3 is odd }} {{ 4 is even }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 1 is in [1] }} {{ 1 is eq 1 }} {{ 2 is gt 1 }} {{ 1 is sameas 1 }} {{ none is sameas none }} {{ 'upper' is filter }} {{ 'even' is test }} {{ d.items() is sequence }} {{ d.items() is iterable }} {{ (l|map('upper')) is iterable }} {{ undefinedx is iterable }} {{ undefinedx is sequence }} {{ undefinedx is mapping }} {{ s is sequence }} {{ d is sequence }} {{ d is iterable }} {{ 1 is iterable }} {{ x is not defined }} {{ s is not string }}
{{ l|tojson }} {{ d|tojson }} {{ d|tojson(indent=2) }} {{ s|tojson }} {{ s|tojson(ensure_ascii=true) }} {{ none|tojson }} {{ true|tojson }} {{ 1.0|tojson }} {{ 1e100|tojson }} {{ (1,2)|tojson }} {{ {1:2, none:3, true:4, 1.5:6}|tojson }} {{ d|tojson(separators=(',',':')) }} {{ {'b':1,'a':2}|tojson(sort_keys=true) }} {{ []|tojson(indent=2) }} {{ {}|tojson(indent=2) }} {{ [[],{}]|tojson(indent=1) }} {{ '"\\/\b\f\n\r\t\x01\x7f</>'|tojson }} {{ l|tojson(indent='\t') }} {{ l|tojson(indent=0) }} {{ l|tojson(indent=none) }} {{ l|tojson(true) }}
{{ big }} {{ big|tojson }} {{ [big] }} {{ big is number }} {{ big|string|length }} {{ big == big }}
{{ ['a"b', "a'b", "a'b\"c", '\\', '\n\r\t\x00\x7f\xa0é\u200b\ue000\U0001f600\U000e0001'] }}
{{ '<a href="x">&\'</a>'|e }} {{ '<b>'|safe }} {{ ('<b>'|safe) + '<i>' }} {{ '<i>' + ('<b>'|safe) }} {{ ('<b>'|e)|e }} {{ ('<b>'|e)|forceescape }} {{ '<i>' ~ ('<b>'|safe) }} {{ ('<b>'|safe)|length }} {{ ('<b>'|safe)|upper + '<' }} {{ ('<b>'|safe).replace('b','<') }} {{ ('%s'|safe) % '<' }} {{ ('{}'|safe).format('<') }} {{ ('<b>'|safe) * 2 + '<' }} {{ (('<b>'|safe)[0]) + '<' }} {{ [('<b>'|safe)]|join('<') }} {{ (','|safe).join(['<','>']) }} {{ ('<b>'|safe) is escaped }} {{ 'a' is escaped }} {{ [('<'|safe)] }} {{ ('a<'|safe)|replace('a','<') + '<' }} {{ ('<'|safe)|trim + '<' }} {{ ('<'|safe)|string + '<' }} {{ ('<'|safe)|title + '<'}} {{ ('<'|safe)|capitalize + '<' }} {{ ('<'|safe)|indent + '<' }} {{ (('<'|safe)|list)[0] + '<' }} {{ ('< <'|safe).split()[0] + '<' }} {{ ('<'|safe) == '<' }} {{ ('<b>'|safe)|tojson }} {{ ('<'|safe)|first + '<' }} {{ ('<'|safe)|reverse + '<' }}
{% autoescape true %}{{ '<' }}{{ '<'|safe }}{{ '<' ~ '>' }}{{ '<' + ('>'|safe) }}{{ ['<']|join('&') }}<{% set x %}<{{ '<' }}{% endset %}{{ x }}{% macro m(a) %}<{{ a }}{% endmacro %}{{ m('<') }}{% filter upper %}<a{{ '<' }}{% endfilter %}{{ 5 }}{{ ['<'] }}{% endautoescape %}{{ '<' }}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a','b') }}{{ loop.changed(i) }};{% endfor %}
{% for i in l if i > 1 %}{{ loop.index }}/{{ loop.length }}:{{ i }}{{ loop.last }};{% else %}none{% endfor %}|{% for i in l if i > 10 %}x{% else %}none{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for a, b in [[1,2],[3,4]] %}{{ a+b }}{% endfor %}{% for (a, (b, c)) in [[1,[2,3]]] %}{{ a~b~c }}{% endfor %}
{% for i in [1,2,3,4] %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in [[1,[2,3]],4] recursive %}{{ loop.depth }}{% if i is iterable %}({{ loop(i) }}){% else %}{{ i }}{% endif %}{% endfor %}
{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }} {{ ns }} {{ ns.y }} {{ ns.y is defined }}
{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = 'xy' %}{{ c }}{{ d }}{% set z %}blk {{ a }}{% endset %}{{ z }}{% set q | upper | replace('A','_') %}abc{% endset %}{{ q }}{% set tt = 1, %}{{ tt }}
{% macro m(a, b='x', c=none) %}[{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }}]{% endmacro %}{{ m() }}{{ m(1) }}{{ m(1,2,3,4,5) }}{{ m(c=1,a=2) }}{{ m(1,z=5) }}{{ m(*[1,2]) }}{{ m(**{'b':7}) }}{{ m.name }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1,2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ n }}{% endcall %}{% macro m2() %}{{ caller(1,b=2) }}{% endmacro %}{% call(a,b,c=3) m2() %}{{ a }}{{ b }}{{ c }}{% endcall %}{{ m() }}
{% macro m() %}<{{ caller is defined }}>{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% macro fact(n) %}{% if n <= 1 %}1{% else %}{{ n * fact(n-1)|int }}{% endif %}{% endmacro %}{{ fact(5) }}
{% macro a() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ a() }}{% for i in [1] %}{% set x = 6 %}{{ a() }}{% macro b() %}{{ x }}{{ i }}{% endmacro %}{{ b() }}{% endfor %}
{% filter upper %}abc{{ 'd' }}{% endfilter %}{% filter replace('a','b')|upper %}abc{% endfilter %}
{% with a=1, b=2 %}{{ a }}{{ b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a }}{{ c }}{% with %}x{% endwith %}{% with a=1 %}{% with a=2,b=a %}{{ a }}{{ b }}{% endwith %}{% endwith %}
{% raw %}{{ x }}{% if %}{% endraw %}{% raw -%}  a  {%- endraw %}|{%- raw %} b{% endraw -%}  c
{# comment #}a{#- x -#}  b  {#- y #}  c{# multi
line #}
d
{% generation %}g{{ n }}{% set zz = 1 %}{% endgeneration %}{{ zz }}
{% block b %}x{{ n }}{% endblock %}{% block c scoped %}y{% endblock c %}
{{ dict(a=1) }} {{ dict([('a',1)]) }} {{ dict({'a':1}, b=2) }} {{ namespace(a=1).a }} {{ cycler('a','b').next() }} {% set j = joiner('-') %}{{ j() }}{{ j() }}{{ j() }}{% set c = cycler(1,2,3) %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.reset() }}{{ c.current }}
{{ 'abc'|length }} {{ l|length }} {{ d|count }} {{ undefinedx|length }} {{ 'abc'|list }} {{ 'abc'|reverse }} {{ l|reverse|list }} {{ (1,2)|reverse|list }} {{ d|reverse|list }}
{{ undefinedx|default('d') }} {{ ''|default('d') }} {{ ''|default('d',true) }} {{ none|d('x') }} {{ none|d('x', boolean=true) }} {{ x.y|default('q') if x is defined else 'nox' }}
{{ 'hello world foo bar'|truncate(9) }} {{ 'hello world foo bar'|truncate(9,true) }} {{ 'hello world foo bar'|truncate(11,false,'..',0) }} {{ 'short'|truncate(3,leeway=5) }} {{ 'foo bar baz qux'|truncate(9, True) }} {{ 'foo bar baz qux'|truncate(11, False, '...', 0) }}
{{ 'a b  c-d'|wordcount }} {{ 'hello world foo'|wordwrap(5) }} {{ 'aaaaaaaaaa bb'|wordwrap(4) }} {{ 'aaaaaaaaaa bb'|wordwrap(4,false) }} {{ 'well-known thing'|wordwrap(7) }} {{ 'a\n\nb c'|wordwrap(3) }} {{ '  lead a b'|wordwrap(6) }} {{ 'Hello wörld'|wordwrap(3) }} {{ '  x'|wordwrap(2) }} {{ [1]|batch(0)|list }} {{ '%*d|%-*d|%.*f|%.*s|' % (-5, 1, 4, 2, -2, 1.5, 1, 'ab') }} {{ 'abcdefgh'|truncate(9223372036854775807) }} {{ 'abc'.zfill(-9223372036854775807 - 1) }} {{ 'abc'.split('b', -9223372036854775807 - 1) }} {{ 'aaa'.replace('a', 'b', -9223372036854775807 - 1) }} {{ 'abc'[-9223372036854775807 - 1:9223372036854775807:-9223372036854775807] }} {{ 1.5|round(-400) }} {{ range(-9223372036854775807 - 1, 9223372036854775807, 9223372036854775807)|list }}
{{ '<p>a <b>b</b> c</p>'|striptags }} {{ 'a b&c/d?é'|urlencode }} {{ {'a':'x y','b':2}|urlencode }} {{ {'class':'a','id':none,'x':'<'}|xmlattr }} {{ 1000|filesizeformat }} {{ 1|filesizeformat }} {{ 999|filesizeformat }} {{ 1500000|filesizeformat }} {{ 1048576|filesizeformat(true) }} {{ '123'|filesizeformat }}
{{ 'a\nb\n\nc'|indent }} {{ 'a\nb'|indent(2,true) }} {{ 'a\n\nb'|indent(2,blank=true) }} {{ 'a\nb'|indent('> ') }} {{ ''|indent(2,true) }}| {{ 'a\n'|indent(2) }}| {{ 'a\n\n'|indent(2,true,true) }}|
{{ -5|abs }} {{ 5.5|abs }} {{ (-5)|abs }} {{ -2.5|abs }} {{ 'x'|attr('upper') is callable }} {{ d|attr('b') is undefined }}
{{ s.upper() }} {{ s['upper']() }} {{ d['items']()|list }} {{ d.b }} {{ d['b'] }} {{ d.zz }} {{ d['zz'] }} {{ l.0 }} {{ l['0'] }} {{ s.0 }} {{ none.x }} {{ n.x }} {{ s.foo }} {{ l.append }} {{ d.pop }}
{{ d.pop('b') }}
{{ l.append(1) }}
{{ l.index(1) }} {{ l.count(1) }} {{ (1,2).index(2) }} {{ l.copy() }}
{{ x.y.z }}
{{ none.x.y }}
{{ undefinedx + 1 }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ l + 'a' }}
{{ l + [4] }} {{ (1,) + (2,) }} {{ l * 2 }} {{ 2 * 'ab' }} {{ 'ab' * 0 }} {{ 'ab' * -1 }} {{ true + 1 }} {{ 'a' * true }}
{{ none + 1 }}
{{ [1] < 1 }}
{{ 'a' < 1 }}
{{ none < 1 }}
{{ 1 is foo }}
{{ 1|foo }}
{% if false %}{{ 1|foo }}{% endif %}ok{{ 1|foo if false else 'x' }}
{% if true %}{{ 1|foo }}{% endif %}
{{ 'a' in 5 }}
{{ 5 in 'a' }}
{{ [1] in {} }}
{{ {[1]:2} }}
{% for x in 5 %}{% endfor %}
{% for a, b in [[1]] %}{% endfor %}
{% for a, b in [[1,2,3]] %}{% endfor %}
{% break %}
{% for i in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}
{% set ns = 1 %}{% set ns.x = 2 %}
{{ raise_exception('boom') }}
{{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%d %B %Y %H:%M') }}
{{ 1 if }}
{{ (1 }}
{{ 1 }
{% if %}{% endif %}
{% foo %}
{% if true %}
{% endif %}
{{ 'a' 'b' "c" }} {{ "a\"b" }} {{ 'a\'b' }} {{ 'a\\b' }} {{ '\x41\u0042\U00000043\103' }} {{ '\q' }} {{ 'a\
b' }}
{{ 12345678901234567890 }} {{ [9223372036854775808, -1] }} {{ s.isprintable() }} {{ strftime_now('%f %Z %% %d') }} {{ 1_000 }} {{ 0xff }} {{ 0o17 }} {{ 0b11 }} {{ 1e2 }} {{ 1.5e2 }} {{ 1E2 }} {{ 1.5E-2 }} {{ 1_0.5_0 }}
{{ [1,2,] }} {{ (1,) }} {{ () }} {{ {} }} {{ {'a':1,} }} {{ [] }} {{ (1) }} {{ 1, 2 }}
{{ l[1:][0] }} {{ (l|sort)[0] }} {{ l|sort|first }} {{ -l[0] }} {{ -n|abs }} {{ - n }} {{ +n }} {{ 2 - -1 }} {{ 2**3**2 }} {{ -2**2 }} {{ 2 * 3 + 4 }} {{ 2 + 3 * 4 }} {{ 'a' ~ 1 + 2 }} {{ 1 + 2 ~ 'a' }} {{ 10 - 3 - 2 }} {{ 2 * 3 % 4 }} {{ 'a' ~ 'b' * 2 }}
{{ n is defined and n > 3 }} {{ n > 3 and s is string }} {{ not n is defined }} {{ n in l or true }} {{ s is string and s|length > 3 }} {{ (n, f) == (5, 2.5) }}
{{ msgs[0].role }} {{ msgs[0]['content'] }} {{ msgs[-1].tool_calls[0].function.arguments|tojson }} {{ msgs[-1].tool_calls[0].function.arguments }} {{ msgs|selectattr('role','equalto','user')|list|length }} {{ msgs|map(attribute='role')|join(',') }} {{ msgs|map(attribute='tool_calls.0.function.name')|list }}
a  {%- if true -%}  b  {%- endif -%}  c
  {% if true %}
  x
  {% endif %}
  y
a {% if true %} b {% endif %} c
{%+ if true %} b {%+ endif %} c
  {%+ if true %}
x{% endif +%}
y
{{ 'a' }}

{{ 'b' -}}

c
{{- ' x ' }}
  {# c #}
  x {# c #}
y
{% set x = 1 -%}

   z
{{ loop }} {{ loop is defined }} {{ self }} {{ caller is defined }} {{ varargs is defined }}
{% for i in [1,2] %}{% for j in [1,2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% for i in l %}{% set outer = loop %}{% for j in [1] %}{{ outer.index }}{% endfor %}{% endfor %}
{% for c in s %}{{ c }}.{% endfor %}
{% set g = l|map('string') %}{{ g|list }}{{ g|list }}{{ g|first }}
{% set g = l|map('string') %}{{ g|first }}{{ g|list }}
{{ (l|map('string'))|length }}
{{ (l|map('string'))|tojson }}
{{ (l|map('string'))[0] }}
{{ l|map('string')|last }}
{{ 'x'.join(l) }}
{{ 'x'.join(['a', none]) }}
{{ none|upper }} {{ 5|upper }} {{ none|trim }} {{ [1]|lower }} {{ true|lower }} {{ none|capitalize }} {{ 5|replace('5','6') }} {{ none|title }} {{ none|replace('None','x') }} {{ 1|string + 'a' }} {{ none|e }}
{{ none|length }}
{{ 5|length }}
{{ none|list }}
{{ none|join }}
{{ none|first }}
{{ 5|first }}
{{ none|tojson }}{{ undefinedx|tojson }}
{{ undefinedx|upper }}{{ undefinedx|trim }}{{ undefinedx|join }}{{ undefinedx|list }}{{ undefinedx|string }}{{ undefinedx|first is undefined }}{{ undefinedx|lower }}{{ undefinedx|replace('a','b') }}{{ undefinedx|sort }}{{ undefinedx|map('upper')|list }}
{{ undefinedx|int }}
{{ undefinedx|float }}
{{ undefinedx|abs }}
{{ undefinedx|dictsort }}
{{ undefinedx|items|list }}{{ d|items|first }}
{{ undefinedx == undefinedy }} {{ undefinedx != 1 }} {{ undefinedx in [1] }} {{ undefinedx in [undefinedy] }} {{ [undefinedx] }} {{ undefinedx ~ 'x' }} {{ undefinedx or 'o' }} {{ not undefinedx }}
{{ undefinedx < 1 }}
{{ undefinedx in 'abc' }}
{{ undefinedx() }}
{{ 'abc'() }}
{{ n() }}
{{ s.nomethod() }}
{{ d.zz() }}
{{ range(1000000) }}
{{ 'a'|string|e|upper }} {{ l|string }} {{ 3.0|string }} {{ true|string }}
{{ 'x' * 3 }} {{ '%d' % 'a' }}
{{ 'abc'[1] }} {{ 'abc'[10] }} {{ 'abc'[-1] }} {{ 'abc'['x'] }} {{ l['x'] }} {{ l[none] }} {{ d[none] }} {{ d[[1]] }} {{ n[0] }} {{ none['a'] }} {{ true[0] }} {{ l[1.0] }} {{ l[true] }}
{{ l[1:2,0] }}
{{ {'a':1}.a }} {{ {'a':{'b':2}}['a'].b }} {{ {'items':5}.items }} {{ {'items':5}['items'] }} {{ {'x':1}.get('x') }} {{ {1:2}[1] }} {{ {1:2}[1.0] }} {{ {true:2}[1] }} {{ {'a':1,'a':2} }}
{{ [1,2,3]|sum ~ 'x' }} {{ ('a','b')|join }} {{ (l|length) + 1 }} {{ l|length + 1 }} {{ 1 + l|length }} {{ 'a' ~ l|length }}
{{ l is sameas l }} {{ [] is sameas [] }} {{ 'a' is sameas 'a' }} {{ 1.0 is sameas 1 }} {{ d is sameas(d) }}
{{ 'a'.encode('utf-8') }} {{ 'é'.encode() }} {{ 1.5 is odd }} {{ 3.0 is odd }} {{ 'Ab'.swapcase() }} {{ 'ab cd'.title() }} {{ 'aB'.casefold() }} {{ 'a\tb'.expandtabs() }} {{ 'Ab Cd'.istitle() }} {{ 'straße'.casefold() }}
{{ objs|pprint }} {{ d|pprint }} {{ msgs|pprint }} {{ {'k': range(30)|list, 'b': [('x' * 30, 'y' * 30)]}|pprint }} {{ 'a'|pprint }} {{ (('z' * 90,),)|pprint|length }}
{{ '{0[a]} {0.b} {1[0]}'.format({'a': 1, 'b': 2}, [3]) }} {{ '{:{}}|{:>{w}}'.format('a', 5, 'b', w=4) }} {{ '{:>06b}|{:#x}|{:c}|{:_}'.format(5, 255, 65, 1234567) }} {{ '{:010}|{:+.3}|{:g}'.format(2.5, 3.0, 1e10) }} {{ '{:5}|{!s:>7}'.format(true, none) }}
{{ '{:.2}'.format(5) }}
{{ '{:5}'.format(none) }}
{{ '%5.0d|%.0f|%-8.3e|%+05d' % (0, 2.5, 12345.678, 7) }} {{ '%c%c' % (65, 'b') }} {{ '%(a)5s|%(b).2f' % {'a': 1, 'b': 2} }} {{ '%-*d|' % (5, 42) }}
{{ 'ǅ'.swapcase() }} {{ 'ΑΣ ΑΣ. ΑΣΑ'.lower() }} {{ '²③'.isdigit() }} {{ '²'.isdecimal() }} {{ 'ª'.islower() }} {{ 'Ⓐ'.isupper() }} {{ 'ﬁ'.upper() }}
{{ d[1:] }}
{{ 'abc'.partition('') }}
{{ 1 is filter }} {{ [1]|sum(start=2) }} {{ 10000000000 // 3 }} {{ 7.5 // -2 }} {{ -7 % 2.5 }} {{ 1e308 * 10 }} {{ 5 // 0.3 }} {{ -1 // 1e400 }}
{{ ['x']|sum(start='') }}
{% autoescape true %}{% set inner = 1 %}{% endautoescape %}{{ inner }}
{{ l|map('string')|map('upper')|join }} {{ [[1,2],[3]]|map('first')|list }} {{ [[1,2],[3]]|map(attribute=0)|list }} {{ objs|map(attribute='n')|unique|list }} {{ objs|selectattr('v', '>', 1)|map(attribute='v')|sum }}
{{ 'a b c'.split(none, -1) }} {{ ' a  b '.rsplit(none, 0) }} {{ 'a,b'.split(',', 0) }} {{ 'aXbXc'.rsplit('X', 1) }} {{ ' '.split(' ') }}
{{ '\N' }}
{% macro m(a,b=1) %}x{% endmacro %}{{ m.arguments }}
{% macro m(a,b=1) %}x{% endmacro %}{{ m.name }}
{% macro m(a,b=1) %}x{% endmacro %}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}{{ m.defaults }}{{ m.explicit_caller }}
{% macro m(a,b=1) %}{{ varargs }}{{ kwargs }}{{ caller }}{% endmacro %}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}
{% macro m() %}{% endmacro %}{{ m.foo is defined }}{{ m['name'] }}{{ m._func is defined }}
{{ 3 .real }}
{{ 3.real }}
{{ (3).imag }}{{ (3).numerator }}{{ (3).denominator }}{{ (true).real }}{{ (2.5).real }}{{ (2.5).imag }}
{{ (l|list) is sameas l }}
{{ l|list is sameas l }}
{{ (l|list)|length }} {{ l is sameas l }} {{ l[:] is sameas l }} {{ l + [] is sameas l }}
{{ ''.__class__.__mro__ }}
{{ ''.__class__ }}
{{ ''.__class__ is defined }}
{{ ''.__foo__ }}
{{ ''.__foo__ is defined }}
{{ ''.__foo__.x }}
{{ ''['__class__'] }}
{{ l.__len__ }}
{{ l.__len__() }}
{{ d.__class__ }}|{{ d._x }}|{{ d['__class__'] }}
{{ s._y }}
{{ undef.__class__ }}
{{ none.foo }} {{ none.__class__ }}
{{ '{} {0}'.format(1) }}
{{ '{0} {}'.format(1) }}
{{ '{a} {} {b}'.format(1, a=2,b=3) }}
{{ '{:{}}'.format(1, 5) }}|{{ '{:{0}}'.format(5) }}
{{ '{0:{}}'.format(5) }}
{{ '{0:{1}}'.format(5,3) }}
{% macro m(a,a) %}{% endmacro %}
{% macro m(a,a) %}{{a}}{% endmacro %}{{ m(1,2) }}
{% macro m(a,b,a=1) %}{{a}}{% endmacro %}{{ m(1,2) }}
{% call(a,a) x() %}{% endcall %}
{% for x in l %}{% generation %}{% continue %}{% endgeneration %}{% endfor %}
{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}
{% for x in l %}{% generation %}{{x}}{{ loop.index }}{% endgeneration %}{% endfor %}
{% generation %}{% set zz = 1 %}{% endgeneration %}{{ zz }}
{% for x in l %}{% filter upper %}{% continue %}{% endfilter %}{% endfor %}
{% for x in l %}{% set y %}a{% continue %}{% endset %}{% endfor %}
{% for x in l %}{% set y %}a{% if x == 1 %}{% continue %}{% endif %}{% endset %}{{ y }}{% endfor %}
{% for x in l %}a{% filter upper %}b{% if x == 1 %}{% break %}{% endif %}{% endfilter %}c{% endfor %}
{% for x in l %}{% call m() %}{% continue %}{% endcall %}{% endfor %}
{% for x in l %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}
{% for x in l %}{% with %}{% continue %}{% endwith %}{% endfor %}
{% for x in l %}{% block b %}{% continue %}{% endblock %}{% endfor %}
{% for x in [] %}{% else %}{% continue %}{% endfor %}
{% for y in l %}{% for x in [] %}{% else %}{% continue %}{% endfor %}a{% endfor %}
{% if 0 %}{% break %}{% endif %}
{{ 'aaa'.replace('a','b',count=1) }}
{{ 'aaa'|replace('a','b',count=1) }}
{{ 'aaa'|replace('a','b',1) }}
{{ 'aaa'|replace(old='a',new='b') }}
{{ 'aaa'.replace(old='a',new='b') }}
{{ 'ab'.strip(chars='a') }}
{{ 'ab'.split(sep='a', maxsplit=1) }}
{{ 'ab'.encode(encoding='utf-8') }}
{{ 'ab'.encode('ascii') }} {{ 'é'.encode('latin-1') }} {{ 'é'.encode('ascii') }}
{{ 'ab'.splitlines(keepends=true) }}
{{ 'ab'.expandtabs(tabsize=4) }}
{{ 'ab'.center(width=4) }}
{{ 'ab'.zfill(width=4) }}
{{ 'ab'.startswith(prefix='a') }}
{{ 'ab'.find(sub='a') }}
{{ 'ab'.join(iterable=[]) }}
{{ 'ab'.removeprefix(prefix='a') }}
{{ 'ab'.partition(sep='a') }}
{{ d.get(key='a') }}
{{ d.get('a', default=1) }}
{{ d.items(1) }}
{{ l.index(value=1) }}
{{ l.index(1, 1) }} {{ l.index(3, 1) }} {{ l.index(3, 1, 4) }}
{{ l.index(1, 2) }}
{{ 'abc'.isidentifier() }} {{ '1a'.isidentifier() }} {{ '_é'.isidentifier() }} {{ ''.isidentifier() }} {{ 'a b'.isidentifier() }}
{{ '{a}'.format_map({'a': 1}) }}
{{ '{a}'.format_map(d) }} {{ '{}'.format_map(d) }}
{{ (5).bit_length() }} {{ (-8).bit_length() }} {{ (0).bit_length() }} {{ true.bit_length() }}
{{ (2.0).is_integer() }} {{ (2.5).is_integer() }} {{ (2).is_integer() }}
{{ (2.5).hex() }} {{ (0.1).hex() }} {{ (-0.0).hex() }} {{ (1e-320).hex() }}
{{ (2.5).as_integer_ratio() }} {{ (5).as_integer_ratio() }} {{ (0.1).as_integer_ratio() }}
{{ (5).bit_count() }} {{ (5).conjugate() }} {{ (5.5).conjugate() }} {{ (5).__add__(1) }}
{{ '%a' % 'é' }}
{{ '%a %a' % ('é', [1,'ü']) }}
{{ '{!a}'.format('é') }}
{{ '{:n}'.format(12345) }} {{ '{:n}'.format(12345.678) }} {{ '{:n}'.format(1e10) }}
{% block a %}x{% endblock %}{{ self.a() }}
{% block a %}x{{ l }}{% endblock %}{{ self.a() ~ 'q' }}{{ self.b }}
{{ self.b() }}
{{ self }}
{% block a %}{{ super() }}{% endblock %}
{% block a %}{% endblock %}{% block a %}{% endblock %}
{% block a required %}{% endblock %}
{% block a required %}x{% endblock %}
{% block a scoped %}{{ x }}{% endblock %}
{% for x in l %}{% block a scoped %}{{ x }}{{ loop.index }}{% endblock %}{% endfor %}
{% for x in l %}{% block a %}{{ x }}{{ loop is defined }}{% endblock %}{% endfor %}
{% set x = 1 %}{% block a %}{{ x }}{% set x = 2 %}{{ x }}{% endblock %}{{ x }}
{% block a %}1{% endblock a %}
{% block a %}1{% endblock b %}
{% block a-b %}1{% endblock %}
{% block a required scoped %}{% endblock %}
{{ '😀'.encode() }}
{{ '{0.__class__}'.format('a') }}
{{ '{0.real}'.format(5) }} {{ '{0.foo}'.format(5) }}
{{ '{0[a]}'.format(d) }}
{{ '{0[zz]}'.format(d) }}
{{ '{0[1]}'.format(l) }} {{ '{0[1]}'.format('abc') }}
{{ 1e400 }} {{ -1e400 }} {{ 1e400 - 1e400 }}
{{ dict.fromkeys([1,2]) }} {{ dict.fromkeys('ab', 0) }}
{{ namespace(a=1).a }} {{ namespace(a=1) }} {{ namespace({'a':1}) }}
{{ 9223372036854775807 }} {{ 9223372036854775808 }} {{ -9223372036854775808 }} {{ 9223372036854775807 + 1 }} {{ 0xffffffffffffffffff }} {{ -(2**70) }}
{{ 2 ** 64 }} {{ 10 ** 30 }} {{ 2 ** 100 // 3 }} {{ 2**100 % 7 }} {{ (-2)**101 // 7 }} {{ (-2)**101 % 7 }} {{ 2**100 % -7 }} {{ 12345678901234567890 * 2 }} {{ 3**200 - 2**300 }} {{ 10**40 / 10**38 }} {{ 7**50 // 7**48 }} {{ 10**400 / 3 }}
{{ 12345678901234567890 > 3 }} {{ 12345678901234567890 == 12345678901234567890.0 }} {{ 10**30 in [1, 1e30, 10**30] }} {{ [2**70, 1, 2**65, 1e20]|sort }} {{ 2**64 == 2.0**64 }} {{ 2**64 + 1 == 2.0**64 }} {{ 2**64 is even }} {{ 3**50 is odd }}
{{ '12345678901234567890'|int }} {{ 1e20|int }} {{ (2**70)|float }} {{ 'ffffffffffffffffffff'|int(0, 16) }} {{ (2**70)|abs }} {{ (-(2**70))|abs }} {{ (10**25 + 5)|round(-1) }} {{ 1234567890123456789|round(-2) }} {{ (2**70).bit_length() }} {{ (1e300).as_integer_ratio()[1] }}
{{ '%d' % (2**70) }} {{ '%x' % (2**70) }} {{ '{:,}'.format(10**20) }} {{ '{:b}'.format(2**66) }} {{ '{:>30}'.format(2**70) }} {{ '%e' % (10**30) }} {{ '{:s}'.format(5) }} {{ (10**30)|tojson }} {{ {10**30: 1}[10**30] }} {{ 1e300 ** 2 }} {{ -(10**19) // 3 }} {{ '%30d|%-30d|%+d' % (2**70, 2**70, 2**70) }}
'''
OTHERS = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "  {% for i in [1,2] %}\n  {{ i }}\n  {% endfor %}\nend\n",
    "{%- set x = 1 -%}\n\n  z",
    "x\n  {# c #}\n  y {# d #}\nz",
    "{{ 'a' }}\n\n{{ 'b' -}}\n\nc",
    "\t{%+ if true %}\nx{% endif +%}\ny",
    "a\r\nb\rc\n{% if 1 %}\r\nx{% endif %}\r\n",
    "\n\n",
    "\n",
    "a\n\n",
    "{% raw %}\n a {% endraw %}\n b",
    "{% raw -%}\n a {%- endraw -%}\n b",
    "  {% raw %}x{% endraw %}",
    "a {#- c -#} b",
    "{#\n#}\nx",
    "{{ 'a\\\nb' }}",
    "{{ 'multi\nline' }}",
    "{% set x %}\n a\n{% endset %}\n{{ x }}",
    "{%if true%}x{%endif%}",
    "{{[1,2][0]}}",
    "{{{'a':1}.a}}",
    "{{ {'a':{'b':1}}}}",
    "a{{ 1 }}\n",
    "{% for i in [1,\n2] %}{{ i }}{% endfor %}",
    "{{\n1\n}}",
    "\u00a0{% if 1 %}x{% endif %}",
    "\u2003\n\u2003{%- if 1 %}x{% endif -%}\u2003y",
    "{%- macro m() -%} a {%- endmacro -%} {{ m() }}",
    "x{{- 1 -}}y  {{- 2 -}}  z",
    "{{+ 1 }}",
    "{{ 1 +}}",
    "{%- if 1 +%}\nx{% endif %}",
    "{# a #}{# b #}\n\nc",
    "{#- a #}\nb",
    "{# a -#}\n b",
    "{# a +#}\nb",
    "{{ '}}' }}{{ \"{%\" }}",
    "{{ '{{' }}",
    "}} %} #}",
    "{ { % }",
    "{",
    "{{",
    "{%",
    "{#",
    "{{ '",
    "{% raw %}",
    "{{ 1 }}{",
    "a{%- raw -%} x {%- endraw -%} b"]


def row(number, template):
    context = {k: v for k, v in CONTEXT.items() if re.search(r"\b%s\b" % k, template)}
    out = {"id": "t%d" % number, "template": template, "context": context}
    try:
        out["text"] = env.from_string(template).render(**copy.deepcopy(context))
    except Exception:
        pass  # without a text: must be an error
    return None if re.search(r" object at 0x|<function|<built-in|<class|<bound|<Cycler",
                             out.get("text", "")) else out


def main():
    warnings.simplefilter("ignore")
    templates = []
    for line in LINES.strip("\n").split("\n"):
        templates += [line] if "{%" in line else re.findall(r"\{\{.*?\}\}|^[^{]+$", line)
    for number, template in enumerate(dict.fromkeys(templates + OTHERS)):
        out = row(number, template)
        if out:
            print(json.dumps(out, ensure_ascii=False))


if __name__ == "__main__":
    main()
