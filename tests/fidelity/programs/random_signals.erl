%% Operations with links, monitors and exit signals, from either side, with random reasons.
-module(random_signals).
-export([linked_there/1, linked_here/1, unlinked/1, monitored_there/1, monitored_here/1,
         monitored_name/1, demonitored/1, killed/1, exit_from_there/1, gone/1,
         monitored_with_options/1]).
-export([hold/1, wait_exit/1, wait_down/1]).
-import(random_terms, [term/1, one_of/1]).
-import(differential, [ask/4]).

-define(PATIENCE, 60000).

hold(Owner) ->
    Owner ! {held, self()},
    receive {leave, Reason} -> exit(Reason) end.

held(Spawn) ->
    Pid = Spawn(?MODULE, hold, [self()]),
    receive {held, Pid} -> Pid after ?PATIENCE -> exit({not_held, Pid}) end.

here() -> held(fun erlang:spawn/3).

there(#{there := There}) -> held(fun(M, F, A) -> spawn(There, M, F, A) end).

reason(Known) -> one_of([normal, shutdown, {shutdown, term(Known)}, term(Known), term(Known)]).

leave(Pid, Reason) -> Pid ! {leave, Reason}.

wait_exit(Pid) -> receive {'EXIT', Pid, Reason} -> Reason after ?PATIENCE -> silence end.

wait_down(Monitor) ->
    receive {_, Monitor, process, Object, Reason} -> {Object, Reason} after ?PATIENCE -> silence end.

linked_there(#{there := There} = Known) ->
    Pid = held(fun(M, F, A) -> spawn_link(There, M, F, A) end),
    Reason = reason(Known),
    leave(Pid, Reason),
    Seen = wait_exit(Pid),
    {Seen =:= Reason, Seen}.

linked_here(Known) ->
    Pid = here(),
    true = ask(Known, erlang, link, [Pid]),
    Reason = reason(Known),
    leave(Pid, Reason),
    Seen = ask(Known, ?MODULE, wait_exit, [Pid]),
    {Seen =:= Reason, Seen}.

unlinked(Known) ->
    Pid = there(Known),
    {true, true} = {link(Pid), unlink(Pid)},
    Again = [{link(Pid), unlink(Pid)} || _ <- lists:seq(1, random_terms:below(5))],
    Monitor = monitor(process, Pid),
    leave(Pid, reason(Known)),
    {Again, wait_down(Monitor), receive {'EXIT', Pid, _} -> linked after 0 -> unlinked end}.

monitored_there(Known) ->
    Pid = there(Known),
    Monitor = monitor(process, Pid),
    Reason = reason(Known),
    leave(Pid, Reason),
    {Pid, Seen} = wait_down(Monitor),
    {Seen =:= Reason, Seen}.

monitored_here(Known) ->
    Pid = here(),
    Monitor = ask(Known, erlang, monitor, [process, Pid]),
    Reason = reason(Known),
    leave(Pid, Reason),
    {Pid, Seen} = ask(Known, ?MODULE, wait_down, [Monitor]),
    {Monitor, Seen =:= Reason, Seen}.

monitored_name(#{name := Name, there := There, agent := Agent} = Known) ->
    Here = list_to_atom(atom_to_list(Name) ++ "_here"),
    Pid = here(),
    register(Here, Pid),
    Theirs = ask(Known, erlang, monitor, [process, {Here, node()}]),
    Nobody = monitor(process, {nobody, There}),
    Agents = monitor(process, {Name, There}),
    leave(Pid, Reason = reason(Known)),
    Seen = ask(Known, ?MODULE, wait_down, [Theirs]),
    {Seen, Seen =:= {{Here, node()}, Reason}, wait_down(Nobody), demonitor(Agents, [flush, info]),
     Agent}.

demonitored(Known) ->
    Pid = there(Known),
    Monitor = monitor(process, Pid),
    Other = monitor(process, Pid),
    Gone = demonitor(Monitor, one_of([[], [flush], [info], [flush, info]])),
    leave(Pid, reason(Known)),
    Down = wait_down(Other),
    {Gone, Down, receive {'DOWN', Monitor, _, _, _} -> monitored after 0 -> demonitored end}.

killed(Known) ->
    Pid = there(Known),
    Monitor = monitor(process, Pid),
    exit(Pid, one_of([normal, ignored])),
    exit(Pid, one_of([kill, term(Known), {shutdown, term(Known)}])),
    exit(Pid, kill),
    wait_down(Monitor).

exit_from_there(Known) ->
    Reason = {sent, term(Known)},
    true = ask(Known, erlang, exit, [self(), Reason]),
    #{agent := Agent} = Known,
    Seen = wait_exit(Agent),
    {Seen =:= Reason, Seen}.

%% A process that is not there any more, asked for in every way.
gone(Known) ->
    Pid = there(Known),
    Monitor = monitor(process, Pid),
    leave(Pid, normal),
    {wait_down(Monitor), link(Pid), wait_exit(Pid), wait_down(monitor(process, Pid)),
     exit(Pid, kill), Pid ! nothing, erpc:call(node(Pid), erlang, is_process_alive, [Pid])}.

monitored_with_options(Known) ->
    Pid = there(Known),
    Tag = term(Known),
    Options = one_of([[{tag, Tag}], [{alias, demonitor}], [{tag, Tag}, {alias, reply_demonitor}]]),
    Monitor = erlang:monitor(process, Pid, Options),
    Reason = reason(Known),
    leave(Pid, Reason),
    receive {Said, Monitor, process, Pid, Seen} -> {Said, Seen =:= Reason, Seen}
    after ?PATIENCE -> silence
    end.
