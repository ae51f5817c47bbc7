%% Operations that send: to pids, names and aliases, from either side.
-module(random_messages).
-export([to_pid/1, to_name/1, inline/1, fragments/1, in_order/1, from_there/1, to_nobody/1,
         through_alias/1, with_priority/1]).
-export([collect/2, send_to/2]).
-import(random_terms, [term/1, term/2, below/1, one_of/1, fillers/1]).
-import(differential, [ask/4]).

-define(PATIENCE, 60000).

to_pid(#{agent := Agent} = Known) -> echoed(Agent, Known, term(Known)).

to_name(#{name := Name, there := There} = Known) -> echoed({Name, There}, Known, term(Known)).

%% Behind more atoms than a message's cache can hold, every name stands in the term itself.
inline(#{name := Name, there := There} = Known) ->
    echoed({Name, There}, Known, {fillers(300), term(Known, 50), term(Known)}).

%% Cut by borders wherever the padding puts them.
fragments(#{agent := Agent, names := Names} = Known) ->
    Padding = binary:copy(one_of([<<0>>, <<119>>, <<13>>]), below(70000)),
    Many = lists:duplicate(500 + below(1000), one_of([Names, Agent, term(Known, 5)])),
    echoed(Agent, Known, {fillers(300), Padding, Many, term(Known)}).

%% Whether both nodes saw the same, whether the same came back, and what.
echoed(To, #{there := There}, Term) ->
    Tag = make_ref(),
    To ! {echo, self(), Tag, Term},
    receive {Tag, Seen, Returned} ->
        {Seen =:= portable:hash(Term, There, node()), Returned =:= Term, Returned}
    after ?PATIENCE -> silence
    end.

in_order(#{agent := Agent} = Known) ->
    Tag = make_ref(),
    Terms = [term(Known, 3) || _ <- lists:seq(1, 1 + below(20))],
    [Agent ! {Tag, Term} || Term <- Terms],
    {ask(Known, ?MODULE, collect, [Tag, length(Terms)]) =:= Terms, Terms}.

collect(Tag, Number) -> [receive {Tag, Term} -> Term after ?PATIENCE -> silence end
                         || _ <- lists:seq(1, Number)].

%% Made there by the same seed, it must be what is made here.
from_there(Known) ->
    Seed = random_terms:seed(),
    Made = ask(Known, random_terms, made, [Seed, Known]),
    {Made =:= random_terms:made(Seed, Known), Made}.

to_nobody(#{there := There} = Known) ->
    Term = term(Known),
    To = {one_of([nobody, 'no one']), There},
    {To ! Term, [erlang:send(To, Term, Options) || Options <- [[], [noconnect], [nosuspend]]]}.

%% What comes through an alias comes until it is taken back, and before the agent's answer. (OTP 23
%% knows no alias: nothing comes then.)
through_alias(Known) ->
    Term = term(Known),
    Alias = erlang:alias(one_of([[], [explicit_unalias]])),
    ask(Known, ?MODULE, send_to, [Alias, {aliased, Term}]),
    First = receive {aliased, Seen} -> {Seen =:= Term, Seen} after 0 -> nothing end,
    Taken = erlang:unalias(Alias),
    ask(Known, ?MODULE, send_to, [Alias, {aliased, Term}]),
    {First, Taken, receive {aliased, _} -> arrived after 0 -> dropped end}.

send_to(To, Message) -> To ! Message, sent.

with_priority(Known) ->
    Term = term(Known),
    Alias = erlang:alias([priority]),
    Sent = ask(Known, erlang, send, [Alias, {prior, Term}, [priority]]),
    Seen = receive {prior, Came} -> {Came =:= Term, Came} after 0 -> nothing end,
    {Sent, Seen, erlang:unalias(Alias)}.
