%% Sends terms back, and says what it saw in them.
%%
%% A term has arrived whole if both nodes see the same in it, each by its own names for the two,
%% and if what comes back equals what was sent. Every answer goes to a registered name, because a
%% message to {Name, Node} leaves the sender's name for the receiver out of the atom cache's
%% control term: behind 255 other atoms it is then sent inline.
-module(mirror).
-export([start/0, same/2, same/3, identity/1, call/1]).

start() ->
    Starter = self(),
    spawn(fun() -> register(mirror, self()), Starter ! {mirror, started}, mirror() end),
    receive {mirror, started} -> ok end.

mirror() ->
    receive {Name, From, Term} -> spawn(fun() -> answer(Name, From, Term) end) end,
    mirror().

answer(Name, From, Term) ->
    {Name, node(From)} ! {Name, seen(Term, node(), node(From)), Term}.

same(Alias, Term) ->
    same(Alias, Term, mirror_client).

%% same; or which way it arrived otherwise. Name is registered meanwhile.
same(Alias, Term, Name) ->
    register(Name, self()),
    {mirror, Alias} ! {Name, self(), Term},
    try
        receive {Name, Seen, Returned} ->
            case {Seen =:= seen(Term, Alias, node()), Returned =:= Term} of
                {true, true} -> same;
                {false, _} -> {differs, there};
                {true, false} -> {differs, back}
            end
        after 60000 -> no_answer
        end
    after
        unregister(Name)
    end.

identity(Term) ->
    Term.

call({_, Function}) ->
    Function().

%% A number that stands for the term, the same on every node and in every release.
seen(Term, Remote, Local) ->
    erlang:phash2(portable(Term, Remote, Local), 1 bsl 32).

portable(Remote, Remote, _) -> {node, remote};
portable(Local, _, Local) -> {node, local};
portable(Atom, _, _) when is_atom(Atom) -> {atom, Atom};
portable([Head | Tail], Remote, Local) ->
    [portable(Head, Remote, Local) | portable(Tail, Remote, Local)];
portable(Tuple, Remote, Local) when is_tuple(Tuple) ->
    list_to_tuple(portable(tuple_to_list(Tuple), Remote, Local));
portable(Map, Remote, Local) when is_map(Map) ->
    {map, lists:sort(portable(maps:to_list(Map), Remote, Local))};
portable(Fun, Remote, Local) when is_function(Fun) ->
    Items = [erlang:fun_info(Fun, Item) || Item <- [module, name, arity, type, env]],
    {function, portable(Items, Remote, Local)};
portable(Identifier, Remote, Local)
  when is_pid(Identifier); is_reference(Identifier); is_port(Identifier) ->
    %% Releases differ in the tags, and in how many zeros stand before a port's number.
    <<131, Node/binary>> = term_to_binary(node(Identifier)),
    [_, Number] = binary:split(term_to_binary(Identifier), Node),
    Kind = {is_pid(Identifier), is_reference(Identifier)},
    {Kind, portable(node(Identifier), Remote, Local), binary:decode_unsigned(Number)};
portable(Other, _, _) ->
    Other.
