%% Terms that are hard to carry, made of two node names. Each function may run on either node.
-module(material).
-export([atoms/1, atoms/2, inline/2, identifiers/1, functions/1, nested/1, counting/1, finding/1, bytes/1, bitstrings/1,
         map/2, mixed/2, large/2]).

%% More than a message can have in its atom cache: all behind them stand inline.
atoms(Number) -> atoms(1, Number).

atoms(First, Last) ->
    [list_to_atom("filler_" ++ integer_to_list(N)) || N <- lists:seq(First, Last)].

inline(Term, Padding) ->
    {atoms(300), binary:copy(<<"=">>, Padding), Term}.

%% A pid, a reference and a port of this node, and its name.
identifiers(Names) ->
    [self(), make_ref(), hd(erlang:ports()), node() | Names].

functions(Names) ->
    Self = self(),
    Inner = fun() -> {inner, Names} end,
    [fun() -> {node, Names, Self} end,
     fun(Argument) -> {Argument, Inner(), Self, Names} end,
     fun mirror:identity/1].

%% A fun in a fun in a fun, each with names in its environment; the innermost gives them back.
nested(Names) ->
    Self = self(),
    Innermost = fun() -> {Names, Self} end,
    Inner = fun() -> {Names, Innermost()} end,
    fun() -> {Self, Inner(), Names} end.

%% A fun that counts those of its names that are its own node's, and gives the first.
counting(Names) ->
    fun() -> {length([Name || [Name | _] <- Names, Name =:= node()]), hd(Names)} end.

%% A fun that counts the keys of its map, and gives the value of its own node's name.
finding(Map) ->
    fun() -> {map_size(Map), maps:get(node(), Map)} end.

%% What looks like names and is none: term_to_binary of each, texts, and lengths before texts.
bytes(Names) ->
    [{term_to_binary(Name),
      term_to_binary({Name, [Name]}),
      atom_to_binary(Name),
      atom_to_list(Name),
      binary_to_list(term_to_binary(Name)),
      <<(byte_size(atom_to_binary(Name))), (atom_to_binary(Name))/binary>>} || Name <- Names].

bitstrings(Names) ->
    [<<(term_to_binary(Name))/binary, 5:Bits>> || Name <- Names, Bits <- lists:seq(1, 7)].

%% One of each tag whose size is told or fixed, from empty to long.
shapes(N) ->
    [binary:copy(<<"x">>, 7 * N), <<0:(13 * N + N rem 8)>>, lists:duplicate(N rem 300, $w),
     1 bsl (8 * (N rem 600)), -(1 bsl (N rem 70)), float(N), list_to_tuple(lists:seq(1, N rem 300)),
     fun mirror:identity/1, "", <<>>, {}, [N | -N]].

map(Names, Size) ->
    Keys = [{Name, N} || Name <- Names, N <- lists:seq(1, Size)],
    maps:from_list([{Key, [element(1, Key), self()]} || Key <- Keys ++ [{Name} || Name <- Names]]).

mixed(Names, Size) ->
    [{N, Names, self(), bytes(Names), <<N:(N rem 64)/unit:8>>} || N <- lists:seq(1, Size)].

%% Some megabytes with every kind of name in them, most of them inline.
large(Names, Size) ->
    Fill = atoms(300),
    {Fill,
     [{identifiers(Names), functions(Names), shapes(N), bytes(Names), Names}
      || N <- lists:seq(1, Size)],
     map(Names, Size),
     nested(Names)}.
