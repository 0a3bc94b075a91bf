#include "saga/verify/verify.hpp"

#include "saga/verify/checks.hpp"

namespace saga::verify {

std::vector<Violation> check(const Landscape& landscape, const Options& options) {
    const Facts facts(landscape, options);
    std::vector<Violation> all;
    const auto look = [&](std::string_view invariant, auto checker) {
        Report report(invariant, all);
        checker(facts, options, report);
    };
    look("I1", check_effects);
    look("I2", check_transactions);
    look("I4", check_ends);
    look("I5", check_undone);
    look("I6", check_causes);
    look("I7", check_rest);
    look("I8", check_waiting);
    Report answers("I9", all);
    check_answers(facts, landscape.answers, answers);
    look("I10", check_cursors);
    look("I11", check_locks);
    look("I12", check_bounds);
    look("I13", check_given_up);
    return all;
}

std::vector<Violation> dead(const Landscape& landscape) {
    const Facts facts(landscape, {});
    std::vector<Violation> all;
    Report report("dead", all);
    for (const Service& service : facts.services) {
        for (const auto& [key, known] : service.sagas)
            for (const ParkedRow& row : known.parked)
                if (row.state == core::Parking::dead)
                    report.add(service.name, known.row.id, "{} {} {} is dead after {} attempts: {}",
                               name_of(row.what), row.step, row.event.text(), row.attempts,
                               row.reason);
        for (const AsideRow& row : service.aside)
            report.add(service.name, row.saga, "the event {} stands aside: {}", row.event.text(),
                       row.reason);
    }
    return all;
}

}  // namespace saga::verify
