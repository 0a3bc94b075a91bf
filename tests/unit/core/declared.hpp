// Contracts without handlers: what a service of a test declares. The rules never run a handler, the
// Host does, so a name is all that an event needs.
#pragma once

#include <saga/detail/contract.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace saga::test {

using Names = std::vector<std::string>;

/// The same object for the same name, for the life of the program. "*failed" is saga::Failed, "*"
/// saga::AnyEvent. A payload that begins with '!' is no sound one.
detail::Type event_type(std::string_view name);

/// A verb speaks of the step before it.
class Declared {
  public:
    explicit Declared(std::string service) { contract_.service = std::move(service); }

    /// Several successes are published together, of several failures a handler returns one.
    Declared& step(std::string name, const Names& on, const Names& success = {},
                   const Names& failures = {});
    Declared& undo(const std::string& event) { return undo_on({}, event); }
    Declared& undo_on(const Names& failures, const std::string& event);
    Declared& pivot() { return fate(detail::Fate::pivot); }
    Declared& keeps() { return fate(detail::Fate::keeps); }
    Declared& ends_saga();
    Declared& once_per_event();
    Declared& expect(const Names& answers, const std::string& asks);
    Declared& calls();       ///< Twice at most: then it waits for an operator.
    Declared& undo_calls();  ///< Likewise.
    Declared& on(const std::string& event);

    const detail::Contract& contract() const { return contract_; }

  private:
    Declared& fate(detail::Fate fate);
    detail::StepCode& last() { return contract_.steps.back(); }
    detail::Contract contract_;
};

}  // namespace saga::test
