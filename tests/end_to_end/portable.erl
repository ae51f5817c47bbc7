%% Terms in a form that is the same on every node and in every release, whatever the two nodes are
%% called where one looks. `exact` keeps which pid, reference or port it was; `outline` keeps only
%% whose, because those numbers differ between two runs of one program.
-module(portable).
-export([exact/3, outline/3, hash/3]).

exact(Term, Remote, Local) ->
    form(Term, {Remote, Local, fun number/1}).

outline(Term, Remote, Local) ->
    form(Term, {Remote, Local, fun(_) -> some end}).

%% A number that stands for the exact term.
hash(Term, Remote, Local) ->
    erlang:phash2(exact(Term, Remote, Local), 1 bsl 32).

form(Remote, {Remote, _, _}) -> {node, remote};
form(Local, {_, Local, _}) -> {node, local};
form(Atom, _) when is_atom(Atom) -> {atom, Atom};
form(Float, _) when is_float(Float) -> {float, <<Float/float>>};
form([Head | Tail], Seen) -> [form(Head, Seen) | form(Tail, Seen)];
form(Tuple, Seen) when is_tuple(Tuple) -> list_to_tuple(form(tuple_to_list(Tuple), Seen));
form(Map, Seen) when is_map(Map) -> {map, lists:sort(form(maps:to_list(Map), Seen))};
form(Fun, Seen) when is_function(Fun) ->
    Items = [erlang:fun_info(Fun, Item) || Item <- [module, name, arity, type, env]],
    {function, form(Items, Seen)};
form(Pid, Seen) when is_pid(Pid) -> {pid, identity(Pid, Seen)};
form(Reference, Seen) when is_reference(Reference) -> {reference, identity(Reference, Seen)};
form(Port, Seen) when is_port(Port) -> {port, identity(Port, Seen)};
form(Other, _) -> Other.

identity(Identifier, {_, _, Number} = Seen) ->
    {form(node(Identifier), Seen), Number(Identifier)}.

%% Releases differ in the tags, and in how many zeros stand before a port's number.
number(Identifier) ->
    <<131, Node/binary>> = term_to_binary(node(Identifier)),
    [_, Number] = binary:split(term_to_binary(Identifier), Node),
    binary:decode_unsigned(Number).
