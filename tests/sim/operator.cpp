#include "tests/sim/operator.hpp"

#include <fmt/format.h>

#include "tests/sim/moody.hpp"

namespace saga::sim {

using namespace std::chrono_literals;

void Operator::look(Machine& machine) {
    constexpr auto kPatience = 30s;
    constexpr int kAttempts = 5;
    if (!machine.ready()) return;
    store::Statement dead(
        machine.store().db(),
        fmt::format("SELECT position FROM parked WHERE next_at IS NULL AND "
                    "(reason LIKE 'the process died each time%' OR reason LIKE '%{}%')",
                    kOutOfSorts));
    store::Rows rows = dead.query();
    while (rows.next()) {
        const std::int64_t position = rows.integer(0);
        Steady& last = asked_[{machine.name(), position}];
        if (last != Steady{} && schedule_.now() - last < kPatience) continue;
        last = schedule_.now();
        const std::string id = std::to_string(position);
        const auto* begin = reinterpret_cast<const std::byte*>(id.data());
        client_.ask(machine.name(), "retry", id, {begin, begin + id.size()}, kAttempts);
    }
}

}  // namespace saga::sim
