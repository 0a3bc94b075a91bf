// Counterstep: a service as functions from events to events. Start here.
//
//   event     a fact: the plain struct that flatc makes of a table        (event.hpp: Event)
//   step      handler(Tx&, const E&...) -> Outcome<Success, Failures...>  (service.hpp: step)
//   undo      handler(Tx&, const Success&) -> an event                    (service.hpp: undo)
//   call      work outside the database, asked for by a step or an undo   (call.hpp: call)
//   command   what a client asks: one accepted event, or Refused          (service.hpp: command)
//
// A signature is the contract: parameters are what is read, results are what is published. Handlers
// are functions of the database and the event: no clock, randomness, network or thread. Each
// handler may run more than once; what it wrote and returned is kept exactly once. All handlers of
// a service run on one thread, one after the other; only the middle function of a `call` runs
// elsewhere, and concurrently.
#pragma once

#include <saga/call.hpp>
#include <saga/client.hpp>
#include <saga/error.hpp>
#include <saga/event.hpp>
#include <saga/outcome.hpp>
#include <saga/run.hpp>
#include <saga/service.hpp>
#include <saga/tx.hpp>
