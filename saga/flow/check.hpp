// Whether a choreography comes to one end, whatever happens: a proof, or what refutes it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "saga/flow/contract.hpp"
#include "saga/flow/explore.hpp"

namespace saga::flow {

struct Finding {
    enum class What : std::uint8_t {
        no_source,      ///< nobody publishes what a step takes
        no_reader,      ///< nobody takes what is published
        cycle,          ///< events lead back to what published them
        twice,          ///< a step that runs once is started by two events
        left_standing,  ///< a saga has failed, and a finished step is not taken back
        after_pivot,    ///< a saga fails beside its pivot or after it
        ends_twice,     ///< it has two last words, or one of success and a failure
        never_ends,     ///< nothing can happen any more, and nobody has said the last word
        waits_in_vain,  ///< likewise, and a join waits for its other half
        idle_undo,      ///< nothing can ever start it
        no_command,     ///< nothing begins a saga
        mixed_join,     ///< it waits for a failure and for what none can follow: it never runs
        vain_undo,      ///< what an operator's undo asks can fail no saga
    };
    /// One thing of a course of events, in words: "payment", "StockReserved", "take: PaymentTaken".
    struct Line {
        std::string from, to;  ///< services; `from` is "client" for commands, empty for a deadline
        std::string message;   ///< short name of the event that came, or what else did
        std::vector<std::string> deeds;
    };
    What what = What::no_source;
    std::string about;         ///< "payment.take", or an event's full name
    std::string says, mend;    ///< a sentence each
    std::vector<Line> course;  ///< how it comes about; empty: the contracts show it by themselves
};
/// As in JSON: "left_standing".
std::string_view name_of(Finding::What what);

struct Verdict {
    std::vector<Finding> findings;    ///< each of its kind and place once; empty: it holds
    std::vector<std::string> begins;  ///< commands: "order.place"
    std::size_t states = 0;
    bool complete = true;    ///< false: there were more states than allowed; nothing is proven
    bool too_large = false;  ///< likewise, however many are allowed: 6 commands may come later, and
                             ///< 512 runs of steps
};

/// One saga is explored for each command that begins one. Handlers may return whatever they
/// declare; those that throw for ever, operators and expired retentions are not looked at, nor is a
/// command that is refused. A success of several events publishes the first of them, or all.
/// Throws Error where a contract publishes another service's event, and where contracts are larger
/// than can be explored: 8 halves of a join, 255 types of failures.
Verdict check(std::span<const Contract> contracts, std::size_t most_states,
              Orders orders = Orders::enough);

/// A sequence diagram, for people and for Mermaid.
std::string to_text(const Finding& finding);
std::string to_mermaid(const Finding& finding);

}  // namespace saga::flow
