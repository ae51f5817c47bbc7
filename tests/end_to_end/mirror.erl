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
    {Name, node(From)} ! {Name, portable:hash(Term, node(), node(From)), Term}.

same(Alias, Term) ->
    same(Alias, Term, mirror_client).

%% same; or which way it arrived otherwise. Name is registered meanwhile.
same(Alias, Term, Name) ->
    register(Name, self()),
    {mirror, Alias} ! {Name, self(), Term},
    try
        receive {Name, Seen, Returned} ->
            case {Seen =:= portable:hash(Term, Alias, node()), Returned =:= Term} of
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
