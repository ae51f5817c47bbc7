%% Operations that start processes on the other side.
-module(random_spawns).
-export([by_fun/1, by_function/1, with_options/1, by_request/1, undefined_function/1,
         from_there/1]).
-export([tell/3]).
-import(random_terms, [term/1, one_of/1, below/1]).
-import(differential, [ask/4]).

-define(PATIENCE, 60000).

tell(To, Tag, Term) ->
    To ! {Tag, self(), node(), node(To), erlang:group_leader(), Term}.

told(Tag, Term) ->
    receive {Tag, Pid, Node, Caller, Leader, Seen} ->
        {Pid, Node, Caller, Leader =:= erlang:group_leader(), Seen =:= Term, Seen}
    after ?PATIENCE -> silence
    end.

by_fun(#{there := There} = Known) ->
    {Self, Tag, Term} = {self(), make_ref(), term(Known)},
    Spawn = one_of([fun erlang:spawn/2, fun erlang:spawn_link/2, fun erlang:spawn_monitor/2]),
    Spawned = Spawn(There, fun() -> tell(Self, Tag, Term) end),
    {told(Tag, Term), ended(Spawned, Spawn)}.

by_function(#{there := There} = Known) ->
    {Tag, Term} = {make_ref(), term(Known)},
    Spawn = one_of([fun erlang:spawn/4, fun erlang:spawn_link/4, fun erlang:spawn_monitor/4]),
    Spawned = Spawn(There, ?MODULE, tell, [self(), Tag, Term]),
    {told(Tag, Term), ended(Spawned, Spawn)}.

ended({Pid, Monitor}, _) ->
    receive {'DOWN', Monitor, process, Pid, Reason} -> Reason after ?PATIENCE -> silence end;
ended(Pid, Spawn) ->
    case erlang:fun_info(Spawn, name) of
        {name, spawn_link} -> random_signals:wait_exit(Pid);
        _ -> unwatched
    end.

with_options(#{there := There} = Known) ->
    {Tag, Term} = {make_ref(), term(Known)},
    Options = some([link, monitor, {priority, high}, {fullsweep_after, 5}, {min_heap_size, 999},
                    {message_queue_data, off_heap}, {max_heap_size, 0}]),
    Spawned = spawn_opt(There, ?MODULE, tell, [self(), Tag, Term], Options),
    Told = told(Tag, Term),
    Pid = case Spawned of {One, _} -> One; One -> One end,
    {Told, [random_signals:wait_exit(Pid) || link <- Options],
     [ended(Spawned, monitor) || monitor <- Options]}.

some(List) -> [One || One <- List, below(2) =:= 0].

by_request(#{there := There} = Known) ->
    {Tag, Term, ReplyTag} = {make_ref(), term(Known), {reply, term(Known)}},
    Options = some([link, monitor, no_such_option, {reply, one_of([yes, error_only, success_only])}]),
    Request = erlang:spawn_request(There, ?MODULE, tell, [self(), Tag, Term],
                                   [{reply_tag, ReplyTag} | Options]),
    Answer = receive {ReplyTag, Request, Said, Value} -> {Said, Value}
             after answer_after(Options) -> none
             end,
    {Answer, ran(Options, Request, Tag, Term),
     Answer =/= none andalso erlang:spawn_request_abandon(Request)}.

%% Some were not asked for an answer; where none comes, nothing is waited for but the process.
answer_after(Options) ->
    Bad = lists:member(no_such_option, Options),
    case [Reply || {reply, Reply} <- Options] of
        [success_only] when Bad -> 0;
        [error_only] when not Bad -> 0;
        _ -> ?PATIENCE
    end.

ran(Options, Request, Tag, Term) ->
    case lists:member(no_such_option, Options) of
        true -> not_spawned;
        false ->
            Told = told(Tag, Term),
            Pid = element(1, Told),
            {Told, [ended({Pid, Request}, monitor) || monitor <- Options],
             [random_signals:wait_exit(Pid) || link <- Options]}
    end.

undefined_function(#{there := There} = Known) ->
    {Pid, Monitor} = spawn_monitor(There, one_of([lists, no_such_module]), no_function, [term(Known)]),
    ended({Pid, Monitor}, monitor).

from_there(Known) ->
    {Tag, Term} = {make_ref(), term(Known)},
    Pid = ask(Known, erlang, spawn, [node(), ?MODULE, tell, [self(), Tag, Term]]),
    {told(Tag, Term), Pid}.
