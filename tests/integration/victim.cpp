// The landscape's auditor as a process that tests kill. Tickets of "poison" kill it by themselves;
// with VICTIM=calling it asks on "test.check" before it judges, and on "test.withdraw" to undo it;
// with VICTIM=deadly its calls kill it.
#include <cstdlib>
#include <saga/run.hpp>
#include <string_view>

#include "tests/landscape/landscape.hpp"

namespace {

using namespace test;

saga::Outcome<Checked, Rejected> check(saga::Tx& tx, const Granted& granted) {
    if (granted.ticket.starts_with("poison")) std::_Exit(77);
    tx.exec("INSERT INTO checks VALUES (?1, 'sound')", granted.ticket);
    return Checked{.ticket = granted.ticket};
}

saga::Service poisonous() {
    saga::Service service{"auditor",
                          "CREATE TABLE checks (ticket TEXT PRIMARY KEY, verdict TEXT) STRICT"};
    service.step("check", check).pivot();
    return service;
}

Question question(const saga::View&, const Granted& granted) {
    return {.ticket = granted.ticket};
}
Answer die(const saga::Call&, const Question&) {
    std::_Exit(77);
}
saga::Outcome<Checked, Rejected> judge(saga::Tx&, const Granted& granted, const Answer&) {
    return Checked{.ticket = granted.ticket};
}

saga::Service deadly() {
    saga::Service service{"auditor",
                          "CREATE TABLE checks (ticket TEXT PRIMARY KEY, verdict TEXT) STRICT"};
    service.step("check", saga::call(question, die, judge)).pivot();
    return service;
}

}  // namespace

int main(int argc, char** argv) {
    const char* what = std::getenv("VICTIM");
    if (what != nullptr && std::string_view(what) == "deadly")
        return saga::run(argc, argv, deadly());
    const bool calling = what != nullptr && std::string_view(what) == "calling";
    return saga::run(argc, argv, calling ? saga::testing::undoing_auditor() : poisonous());
}
