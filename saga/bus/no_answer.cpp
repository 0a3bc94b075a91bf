#include "saga/bus/no_answer.hpp"

#include <fmt/format.h>

namespace saga::bus {

std::string no_answer(const Problem& problem, const std::string& subject,
                      std::chrono::milliseconds timeout) {
    switch (problem.trouble) {
        case Trouble::no_responders:
            return "nobody answers on " + subject;
        case Trouble::timeout:
            return fmt::format("no answer on {} within {} ms", subject, timeout.count());
        case Trouble::disconnected:
        case Trouble::refused:
            break;
    }
    return fmt::format("no answer on {}: {}", subject, problem.text);
}

}  // namespace saga::bus
