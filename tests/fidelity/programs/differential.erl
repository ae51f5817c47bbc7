%% A program of random operations between this node and another, and all that it observed.
%%
%% The seed decides the program, what is observed decides nothing: run again under other names it
%% does the same. Whatever it observes is written down without the nodes' names and without the
%% numbers of pids, references and ports. Workers go on side by side, then one breaks links.
-module(differential).
-export([run/5, agent/2, answer/2, ask/4]).

-define(PATIENCE, 60000).
-define(OPERATIONS, [
    {160, random_messages, [to_pid, to_pid, to_name, in_order, from_there, from_there]},
    {20, random_messages, [inline, through_alias, to_nobody, with_priority]},
    {90, random_signals, [linked_there, linked_here, unlinked, monitored_there, monitored_here,
        monitored_name, demonitored, killed, exit_from_there, gone, monitored_with_options]},
    {60, random_spawns, [by_fun, by_function, with_options, by_request, undefined_function,
        from_there]},
    {80, random_calls, [erpc, erpc_failing, rpc, several, asynchronous, information, registered,
        table, funs, server, printed, supervised]},
    {2, random_calls, [code]},
    {1, random_messages, [fragments]}]).
-define(BREAKS, [{1, random_breaks, [from_here, from_there, while_waiting]}]).

%% Count operations of so many Workers with There; Lookalikes are binaries that terms may hold.
run(There, Seed, Count, Workers, Lookalikes) ->
    Levels = [{Node, erpc:call(Node, ?MODULE, answer, [quiet, none])} || Node <- [node(), There]],
    Known = #{there => There, names => [There, node()], lookalikes => Lookalikes},
    Breaks = Count div 500,
    Share = (Count - Breaks) div Workers,
    Starts = [start(N, Known, ?OPERATIONS, Seed + N, Share) || N <- lists:seq(2, Workers)],
    Rest = Count - Breaks - Share * (Workers - 1),
    First = finish(start(1, Known, ?OPERATIONS, Seed + 1, Rest)),
    Observed = [First | [finish(Worker) || Worker <- Starts]],
    Broken = finish(start(0, Known, ?BREAKS, Seed, Breaks)),
    [erpc:call(Node, ?MODULE, answer, [loud, Level]) || {Node, Level} <- Levels],
    lists:append(Observed ++ [Broken]).

%% Processes crash by thousands in such a program; nobody wants to read of it.
answer(quiet, _) ->
    #{level := Level} = logger:get_primary_config(),
    ok = logger:set_primary_config(level, none),
    Level;
answer(loud, Level) ->
    ok = logger:set_primary_config(level, Level).

start(Number, Known, Operations, Seed, Count) ->
    spawn_monitor(fun() ->
        process_flag(trap_exit, true),
        random_terms:seed(Seed),
        Name = list_to_atom("differential_" ++ integer_to_list(Number)),
        exit({observed, work(Number, Known#{name => Name}, Operations, 1, Count)})
    end).

finish({Worker, Monitor}) ->
    receive {'DOWN', Monitor, process, Worker, {observed, Observed}} -> Observed end.

work(_, _, _, Index, Count) when Index > Count -> [];
work(Number, #{there := There} = Known, Operations, Index, Count) ->
    Ready = with_agent(Known),
    {_, Module, Functions} = weighted(Operations),
    Function = random_terms:one_of(Functions),
    Result = try Module:Function(Ready) catch Class:Reason -> {caught, Class, Reason} end,
    Seen = short(portable:outline(Result, There, node())),
    Kept = maps:without([agent || Module =:= random_breaks], Ready),
    [{op, Number, Index, Function, Seen} | work(Number, Kept, Operations, Index + 1, Count)].

weighted(Operations) ->
    weighted(Operations, random_terms:below(lists:sum([Weight || {Weight, _, _} <- Operations]))).

weighted([{Weight, _, _} = Operation | _], Left) when Left < Weight -> Operation;
weighted([{Weight, _, _} | Operations], Left) -> weighted(Operations, Left - Weight).

short(Seen) ->
    case erlang:external_size(Seen) of
        Size when Size > 150 -> {digest, erlang:phash2(Seen, 1 bsl 32)};
        _ -> Seen
    end.

%% The other side of a worker: answers, and applies what it is told to.
with_agent(#{agent := _} = Known) -> Known;
with_agent(#{there := There, name := Name} = Known) ->
    Self = self(),
    Agent = spawn(There, ?MODULE, agent, [Self, Name]),
    receive {agent, Agent, Theirs} ->
        Ours = [Self, make_ref(), hd(erlang:ports())],
        Known#{agent => Agent, identifiers => Ours ++ Theirs}
    after ?PATIENCE -> exit({no_agent, Name})
    end.

agent(Owner, Name) ->
    process_flag(trap_exit, true),
    monitor(process, Owner),
    register_when_free(Name),
    Owner ! {agent, self(), [self(), make_ref(), hd(erlang:ports())]},
    serve(Owner).

%% The agent of a link that broke may still be there for a moment.
register_when_free(Name) ->
    try register(Name, self())
    catch error:badarg -> timer:sleep(5), register_when_free(Name)
    end.

serve(Owner) ->
    receive
        {echo, From, Tag, Term} ->
            From ! {Tag, portable:hash(Term, node(), node(From)), Term};
        {ask, From, Tag, Module, Function, Arguments} ->
            From ! {Tag, applied(Module, Function, Arguments)};
        {'DOWN', _, process, Owner, _} ->
            exit(normal)
    end,
    serve(Owner).

applied(Module, Function, Arguments) ->
    try apply(Module, Function, Arguments)
    catch Class:Reason -> {caught, Class, Reason}
    end.

ask(#{agent := Agent}, Module, Function, Arguments) ->
    Tag = make_ref(),
    Agent ! {ask, self(), Tag, Module, Function, Arguments},
    receive {Tag, Answer} -> Answer after ?PATIENCE -> {silence, Module, Function} end.
