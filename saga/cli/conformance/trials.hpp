// What a participant is put to, a row each. docs/protocol.md has the rules.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "saga/cli/conformance/stand.hpp"

namespace saga::cli {

enum class Verdict : std::uint8_t { pass, fail, skip };

struct Row {
    std::string trial;  ///< "duplicate"
    std::string step;   ///< empty: of the participant as a whole
    Verdict verdict = Verdict::pass;
    std::string says;  ///< why it failed or was skipped; what was seen
    std::chrono::milliseconds took{0};
};

class Trials {
  public:
    using OnRow = std::function<void(const Row&)>;

    /// `restart` is a shell's command that kills the participant and starts it again; empty: that
    /// trial is skipped.
    Trials(Stand& stand, std::string restart, OnRow on_row)
        : stand_(stand), restart_(std::move(restart)), on_row_(std::move(on_row)) {}

    /// All of them, one after the other. A participant that says nothing more fails those that
    /// follow. Throws Stop where the contract or the broker do not allow any.
    std::vector<Row> run();

  private:
    using Step = flow::Step;
    struct Outcome {
        Verdict verdict = Verdict::pass;
        std::string says;
    };
    /// What a saga was given to start a step with.
    struct Given {
        std::string saga;
        std::vector<Forged> triggers;
    };

    void try_out(std::string_view trial, const Step* step, const std::function<Outcome()>& what);
    void try_step(const Step& step);
    void try_whole();

    // Of a step.
    Outcome runs(const Step& step, bool newer);
    Outcome duplicate(const Step& step);
    Outcome second(const Step& step);
    Outcome undone(const Step& step);
    Outcome undo_first(const Step& step);
    Outcome after_end(const Step& step);
    Outcome order(const Step& step);
    // Of the participant.
    Outcome junk(const Step& step);
    Outcome unknown(const Step& step);
    Outcome restarted(const Step& step);

    Given give(const Step& step, bool newer = false);
    Forged failure_for(const Step& step, const std::string& saga, bool another = false);
    /// What the step, or its undo, has said in a saga.
    std::vector<Said> outcomes(const Step& step, const std::string& saga);
    std::vector<Said> undos(const Step& step, const std::string& saga);
    /// Until it said so many; whether it did.
    bool speaks(const Step& step, const std::string& saga, std::size_t times = 1);
    /// Returns once what was sent before must have been handled; fails with its text.
    Outcome catch_up(const std::string& after);
    /// What is wrong with an outcome, or empty.
    static std::string fault_of(const Step& step, const Said& said, const Given& given);

    Stand& stand_;
    std::string restart_;
    OnRow on_row_;
    std::vector<Row> rows_;
    const Step* canary_ = nullptr;          ///< a step that was seen to answer
    std::map<std::string, bool> succeeds_;  ///< by step: whether its outcome was a success
};

}  // namespace saga::cli
