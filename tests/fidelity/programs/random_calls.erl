%% Operations by OTP's own clients and servers: calls, tables, servers, printed text, loaded code.
-module(random_calls).
-export([erpc/1, erpc_failing/1, rpc/1, several/1, asynchronous/1, information/1, registered/1,
         table/1, funs/1, server/1, printed/1, supervised/1, code/1]).
-export([identity/1, fail/2, applied/1, made_table/2]).
-import(random_terms, [term/1, one_of/1, below/1]).
-import(differential, [ask/4]).

-define(PATIENCE, 60000).

identity(Term) -> Term.

erpc(#{there := There} = Known) ->
    Term = term(Known),
    Seen = case below(2) of
        0 -> erpc:call(There, ?MODULE, identity, [Term]);
        1 -> erpc:call(There, fun() -> identity(Term) end)
    end,
    {Seen =:= Term, Seen}.

fail(error, Term) -> error(Term);
fail(exit, Term) -> exit(Term);
fail(throw, Term) -> throw(Term);
fail(signal, Term) -> exit(self(), {signal, Term}), receive never -> ok end.

erpc_failing(#{there := There} = Known) ->
    Kind = one_of([error, exit, throw, signal]),
    erpc:call(There, ?MODULE, fail, [Kind, term(Known)]).

rpc(#{there := There} = Known) ->
    Kind = one_of([error, exit, throw, signal]),
    case below(3) of
        0 -> rpc:call(There, ?MODULE, fail, [Kind, term(Known)]);
        1 -> rpc:block_call(There, ?MODULE, identity, [term(Known)]);
        2 -> rpc:call(There, no_such_module, no_function, [term(Known)])
    end.

several(#{names := Names} = Known) ->
    case below(2) of
        0 -> erpc:multicall(Names, ?MODULE, identity, [term(Known)]);
        1 -> rpc:multicall(Names, ?MODULE, identity, [term(Known)])
    end.

asynchronous(#{there := There} = Known) ->
    case below(3) of
        0 -> rpc:yield(rpc:async_call(There, ?MODULE, identity, [term(Known)]));
        1 -> erpc:receive_response(erpc:send_request(There, ?MODULE, identity, [term(Known)]));
        2 ->
            Tag = make_ref(),
            ok = erpc:cast(There, random_messages, send_to, [self(), {Tag, Term = term(Known)}]),
            receive {Tag, Seen} -> {Seen =:= Term, Seen} after ?PATIENCE -> silence end
    end.

information(#{there := There, agent := Agent} = Known) ->
    Items = [registered_name, links, monitored_by, trap_exit, priority, group_leader, initial_call,
             error_handler, fullsweep_after, message_queue_data, no_such_item],
    Item = one_of(Items),
    {Item, rpc:call(There, erlang, process_info, [Agent, Item]),
     ask(Known, rpc, call, [node(), erlang, process_info, [self(), trap_exit]])}.

registered(#{there := There, agent := Agent, name := Name}) ->
    Other = list_to_atom("also_" ++ atom_to_list(Name)),
    Call = fun(Function, Arguments) -> rpc:call(There, erlang, Function, Arguments) end,
    {Call(whereis, [Name]) =:= Agent, Call(whereis, [Other]), Call(register, [Name, Agent]),
     Call(unregister, [Other]), Call(is_process_alive, [Agent])}.

made_table(Type, Rows) ->
    Table = ets:new(table, [Type]),
    true = ets:insert(Table, Rows),
    Found = {ets:info(Table, type), ets:info(Table, owner), lists:sort(ets:tab2list(Table))},
    true = ets:delete(Table),
    Found.

table(Known) ->
    Rows = [{Key, term(Known)} || Key <- lists:seq(1, 1 + below(10))],
    Type = one_of([set, ordered_set, bag, duplicate_bag]),
    {Same, Owner, Found} = ask(Known, ?MODULE, made_table, [Type, Rows]),
    {Same =:= Type, Owner, Found =:= Rows, Found}.

applied(Fun) -> {Fun(node()), Fun}.

funs(#{there := There} = Known) ->
    {Self, Term} = {self(), term(Known)},
    Inner = fun(Node) -> {Node, Term, Self} end,
    Outer = fun(Node) -> {Inner(Node), node(Self), node()} end,
    {Result, Returned} = ask(Known, ?MODULE, applied, [Outer]),
    {Result, Returned =:= Outer, Returned(There) =:= {Inner(There), node(), node()}}.

server(#{there := There}) ->
    {gen_server:call({rex, There}, {call, erlang, node, [], self()}),
     gen_server:multi_call([There], rex, {call, erlang, node, [], self()}),
     catch gen_server:call({nobody, There}, anything),
     element(1, sys:get_status({rex, There}))}.

supervised(#{there := There}) ->
    {supervisor:which_children({kernel_sup, There}), supervisor:count_children({kernel_sup, There})}.

%% Printed there on a device that is a process here.
printed(Known) ->
    Text = unicode:characters_to_binary(io_lib:format("~0tp", [term(Known, 5)])),
    Device = self(),
    Tag = make_ref(),
    Writer = fun() -> Device ! {Tag, io:put_chars(Device, Text), io:get_line(Device, "> ")} end,
    Pid = spawn(maps:get(there, Known), Writer),
    Put = answered(Pid, ok),
    Got = answered(Pid, "a line\n"),
    {tuple_size(Put), element(3, Put) =:= Text, Got,
     receive {Tag, Wrote, Line} -> {Wrote, Line} after ?PATIENCE -> silence end}.

term(Known, Parts) -> random_terms:term(Known, Parts).

answered(From, Reply) ->
    receive {io_request, From, As, Request} ->
        From ! {io_reply, As, Reply},
        Request
    after ?PATIENCE -> silence
    end.

%% A new module, loaded there, called there, and gone again.
code(#{there := There, name := Name} = Known) ->
    Module = list_to_atom(atom_to_list(Name) ++ "_code"),
    Constant = [below(1 bsl 40), <<"app@127.0.0.1">>, 'é'],
    Forms = [{attribute, 1, module, Module},
             {attribute, 1, export, [{constant, 1}]},
             {function, 1, constant, 1, [{clause, 1, [{var, 1, 'Given'}], [],
                 [{tuple, 1, [erl_parse:abstract(Constant), {var, 1, 'Given'}]}]}]}],
    {ok, Module, Code} = compile:forms(Forms),
    Load = rpc:call(There, code, load_binary, [Module, "made", Code]),
    Term = term(Known),
    Called = rpc:call(There, Module, constant, [Term]),
    {Load, Called =:= {Constant, Term}, Called, rpc:call(There, code, delete, [Module]),
     rpc:call(There, code, purge, [Module]), rpc:call(There, erlang, module_loaded, [Module])}.
