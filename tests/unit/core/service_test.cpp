// What an author may declare; handlers that do not fit do not compile, the rest throws.
#include <doctest/doctest.h>

#include <saga/service.hpp>
#include <stdexcept>

#include "unit_events.hpp"

using namespace saga;
using namespace unit;
using namespace std::chrono_literals;

namespace {

const auto cook = [](Tx&, const DishOrdered&) { return DishCooked{}; };
const auto bin = [](Tx&, const DishCooked&) { return DishBinned{}; };
const auto serve = [](Tx&, const DishCooked&) { return DishServed{}; };
const auto note = [](Tx&, const DishOrdered&) {};
const auto accept = [](const View&, const CookDish&) -> Reply<DishOrdered> {
    return DishOrdered{};
};

/// What is thrown, "" when nothing is.
template <class Declare>
std::string thrown(Declare declare) {
    try {
        declare();
    } catch (const std::logic_error& error) {
        return error.what();
    }
    return {};
}

template <class Declare>
std::string in_kitchen(Declare declare) {
    return thrown([&] {
        Service kitchen{"kitchen"};
        declare(kitchen);
        detail::validate(kitchen.contract());
    });
}

}  // namespace

TEST_CASE("service: a declaration is data") {
    Service kitchen{"kitchen", "CREATE TABLE dish (id TEXT)"};
    kitchen.command("cook", &CookDish::dish_id, accept).ends_saga();
    kitchen.on(note);
    kitchen.step("cook", cook).undo(bin).expect<DishServed>(5min, [](Tx&, const DishCooked&) {
        return DishBurnt{};
    });
    kitchen.question("dishes", "SELECT id FROM dish");
    kitchen.setting("oven", "hot", "how hot");
    const Service handle = kitchen;
    const Contract& contract = handle.contract();
    detail::validate(contract);

    CHECK(contract.service == "kitchen");
    CHECK(contract.tables.size() == 1);
    REQUIRE(contract.steps.size() == 1);
    const detail::StepCode& step = contract.steps.front();
    CHECK(step.name == "cook");
    CHECK(step.starts_on.front()->full == "unit.kitchen.DishOrdered");
    CHECK(step.emits.front().type->name == "DishCooked");
    CHECK(step.emits.front().kind == Kind::done);
    CHECK(step.undone.front().kind == Kind::undone);
    CHECK(step.fate == detail::Fate::undo);
    CHECK(step.expects.front().after == 5min);
    CHECK(step.expects.front().answers.front()->owner == "waiter");
    CHECK(contract.reactions.front().on->name == "DishOrdered");
    CHECK(contract.commands.front().ends_saga);
    CHECK(contract.questions.front().verb == "dishes");
    CHECK(contract.settings.front().name == "oven");
}

TEST_CASE("service: names are [a-z][a-z0-9_]*") {
    CHECK(thrown([] { Service{"Kitchen"}; }) == "a service's name is [a-z][a-z0-9_]*: Kitchen");
    CHECK(thrown([] { Service{""}; }) == "a service's name is [a-z][a-z0-9_]*: ");
    CHECK(in_kitchen([](Service& it) { it.step("Cook it", cook); }) ==
          "a step's name is [a-z][a-z0-9_]*: Cook it");
    CHECK(in_kitchen([](Service& it) { it.command("Cook", &CookDish::dish_id, accept); }) ==
          "a verb is [a-z][a-z0-9_]*: Cook");
    CHECK(in_kitchen([](Service& it) { it.question("my-dishes", "SELECT 1"); }) ==
          "a verb is [a-z][a-z0-9_]*: my-dishes");
    CHECK(in_kitchen([](Service& it) { it.setting("Oven", "", ""); }) ==
          "a setting's name is [a-z][a-z0-9_]*: Oven");
}

TEST_CASE("service: one of each name") {
    CHECK(in_kitchen([](Service& it) {
              it.step("cook", cook);
              it.step("cook", cook);
          }) == "two steps of one name: cook");
    CHECK(in_kitchen([](Service& it) {
              it.on(note);
              it.on(note);
          }) == "one reaction a type: unit.kitchen.DishOrdered");
    CHECK(in_kitchen([](Service& it) {
              it.command("cook", &CookDish::dish_id, accept);
              it.question("cook", "SELECT 1");
          }) == "two answers to one verb: cook");
    CHECK(in_kitchen([](Service& it) {
              it.question("cook", "SELECT 1");
              it.command("cook", &CookDish::dish_id, accept);
          }) == "two answers to one verb: cook");
    for (const char* verb :
         {"retry", "skip", "drop", "dead", "letter", "state", "owner", "outbox", "backup"})
        CHECK(in_kitchen([&](Service& it) { it.question(verb, "SELECT 1"); }) ==
              std::string("two answers to one verb: ") + verb);
}

TEST_CASE("service: publishes its own events only, wherever it says so") {
    const std::string foreign =
        "an event is published by the service that its namespace names: unit.waiter.DishServed, "
        "by kitchen";
    CHECK(in_kitchen([](Service& it) { it.step("serve", serve); }) == foreign);
    CHECK(in_kitchen([](Service& it) {
              it.step("cook", cook).undo([](Tx&, const DishCooked&) { return DishServed{}; });
          }) == foreign);
    CHECK(in_kitchen([](Service& it) {
              it.step("cook", cook).keeps().expect<DishBurnt>(1min, [](Tx&, const DishCooked&) {
                  return DishServed{};
              });
          }) == foreign);
    CHECK(in_kitchen([](Service& it) {
              it.command(
                  "serve", &CookDish::dish_id,
                  [](const View&, const CookDish&) -> Reply<DishServed> { return DishServed{}; });
          }) == foreign);
    CHECK(in_kitchen([](Service& it) {
              it.step("try", [](Tx&, const DishOrdered&) -> Outcome<DishCooked, DishServed> {
                  return DishCooked{};
              });
          }) == foreign);
}

TEST_CASE("service: publishes no event whose name is too long to be told as a failure") {
    using TooLong = ThisEventHasANameOfSixtyFiveCharactersWhichIsOneMoreThanIsAllowed;
    const std::string why = thrown([] {
        Service waiter{"waiter"};
        waiter.step("serve", [](Tx&, const DishCooked&) -> Outcome<DishServed, TooLong> {
            return DishServed{};
        });
    });
    CHECK(why.find("an event's name has 64 characters at most: unit.waiter.ThisEvent") == 0);
}

TEST_CASE("service: a join takes each event once, and runs once in a saga") {
    CHECK(in_kitchen([](Service& it) {
              it.step("twice", [](Tx&, const DishOrdered&, const DishOrdered&) {});
          }) == "a join takes each event once: twice");
    CHECK(in_kitchen([](Service& it) {
              it.step("both", [](Tx&, const DishOrdered&, const DishServed&) {}).once_per_event();
          }) == "a join runs once in a saga: both");
    CHECK(thrown([] {
              Service{"kitchen"}.on([](Tx&, const DishOrdered&, const DishServed&) {});
          }) == "a reaction takes one event");
}

TEST_CASE("service: a step has one fate") {
    CHECK(in_kitchen([](Service& it) { it.step("cook", cook).undo(bin).keeps(); }) ==
          "a step says undo, pivot or keeps once: cook");
    CHECK(in_kitchen([](Service& it) { it.step("cook", cook).pivot().undo(bin); }) ==
          "a step says undo, pivot or keeps once: cook");
    CHECK(in_kitchen([](Service& it) {
              it.step("regret", [](Tx&, const Failed&) { return DishBinned{}; }).keeps();
          }) == "a step on saga::Failed is a step of the way back: nothing undoes it: regret");
}

TEST_CASE("service: a step that ends its saga says so by an event") {
    const auto quiet = [](Tx&, const DishServed&) {};
    CHECK(in_kitchen([&](Service& it) { it.step("close", quiet).ends_saga(); }) ==
          "a step that ends its saga says so by an event: close");
    CHECK(in_kitchen([](Service& it) {
              it.step("close", [](Tx&, const DishServed&) -> Outcome<void, DishBurnt> {
                    return {};
                }).ends_saga();
          }) == "a step that ends its saga says so by an event: close");
    CHECK(in_kitchen([](Service& it) { it.step("cook", cook).ends_saga(); }) == "");
}

TEST_CASE("service: one command asks for an undo, and it is none that ends its saga") {
    CHECK(in_kitchen([](Service& it) {
              it.command("cook", &CookDish::dish_id, accept).asks_undo();
          }) == "");
    CHECK(in_kitchen([](Service& it) {
              it.command("cook", &CookDish::dish_id, accept).asks_undo();
              it.command("fry", &CookDish::dish_id, accept).asks_undo();
          }) == "one command of a service asks for an undo: kitchen");
    CHECK(in_kitchen([](Service& it) {
              it.command("cook", &CookDish::dish_id, accept).asks_undo().ends_saga();
          }) == "a command that ends its saga asks for no undo: cook");
}

TEST_CASE("service: events of two owners have two names") {
    const detail::EventType ours{"unit.kitchen.Burnt", "kitchen", "Burnt", nullptr, {}};
    const detail::EventType theirs{"unit.bakery.Burnt", "bakery", "Burnt", nullptr, {}};
    detail::StepCode step;
    step.name = "cook";
    step.starts_on = {&detail::type_of<DishOrdered>()};
    step.emits = {{&ours, Kind::failed}};
    detail::Contract contract;
    contract.service = "kitchen";
    contract.steps.push_back(step);
    CHECK_NOTHROW(detail::validate(contract));
    contract.steps.front().undone_on = {&theirs};
    CHECK(thrown([&] { detail::validate(contract); }) ==
          "an event's name is unique in its landscape: unit.bakery.Burnt and unit.kitchen.Burnt");
}

TEST_CASE("service: a column that is not what the handler asks for is told in one sentence") {
    const detail::Value values[]{std::int64_t{7}, 1.5, std::string_view("tea"), std::monostate{}};
    CHECK(detail::column<std::int64_t>(values, 0) == 7);
    CHECK(detail::column<double>(values, 0) == 7.0);
    CHECK(detail::column<double>(values, 1) == 1.5);
    CHECK(detail::column<std::string>(values, 2) == "tea");
    CHECK(detail::column<std::optional<std::string>>(values, 2) == "tea");
    CHECK_FALSE(detail::column<std::optional<std::string>>(values, 3));
    CHECK_THROWS_WITH_AS(detail::column<std::int64_t>(values, 1), "column 2 is not an integer",
                         Error);
    CHECK_THROWS_WITH_AS(detail::column<double>(values, 2), "column 3 is not a number", Error);
    CHECK_THROWS_WITH_AS(detail::column<std::string>(values, 3), "column 4 is not text", Error);
    CHECK_THROWS_WITH_AS((detail::row<int, int, int, int, int>(values)),
                         "the query yields 4 columns, not 5", Error);
}
