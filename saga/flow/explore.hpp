// Every order in which the events of one saga can come about, arrive and be decided on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "saga/flow/model.hpp"

namespace saga::flow {

/// What a service did with what came to it, in one transaction.
struct Happening {
    enum class What : std::uint8_t { command, event, deadline, pause };
    enum class Deed : std::uint8_t { done, failed, undone };
    struct Work {
        Index work = 0;
        Deed deed = Deed::done;
        bool operator==(const Work&) const = default;
    };
    What what = What::event;
    Index service = 0;
    Index message = kNone;  ///< that came; none: a deadline, or nothing before a failure comes
    std::vector<Work> works;
    std::vector<Index> published;
    bool operator==(const Happening&) const = default;
};
using Course = std::vector<Happening>;

enum class Phase : std::uint8_t {
    none,
    done,
    failed,
    undone,
    barred,  ///< it will not run: a half of it led on, and the saga failed
};

/// A moment of a saga that is explored.
class Moment {
  public:
    virtual ~Moment() = default;
    virtual Phase phase(Index work) const = 0;
    /// It is done, and was started by a failure or by what followed from one.
    virtual bool cleaned_up(Index work) const = 0;
    virtual bool arrived(Index work, std::size_t half) const = 0;
    virtual bool published(Index message) const = 0;
    virtual bool handled(Index delivery) const = 0;
    /// Nothing can happen any more, but commands that do not come.
    virtual bool last() const = 0;
    /// A way that leads here, without what it can do without: `still` says whether the end of a
    /// shorter one is as good.
    virtual Course course(const std::function<bool(const Moment&)>& still) const = 0;
};

/// Of orders that differ in nothing but when what happened in which service, one is enough.
enum class Orders : std::uint8_t { enough, all };
struct Explored {
    std::size_t states = 0;
    bool complete = true;  ///< false: there were more than allowed
};
/// Calls `look` with moments so that every last one is among them, those with fewer happenings
/// first. A call is answered when its step is, so to say, read; which may be late.
Explored explore(const Model& model, std::size_t most_states, Orders orders,
                 const std::function<void(const Moment&)>& look);

}  // namespace saga::flow
