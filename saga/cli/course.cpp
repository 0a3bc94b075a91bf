#include "saga/cli/course.hpp"

namespace saga::cli {

Exit exit_of(Course course) {
    switch (course) {
        case Course::running:
        case Course::completed:
            return kOk;
        case Course::undoing:
        case Course::undone:
            return kUndone;
        case Course::undo_failed:
        case Course::stuck:
            break;
    }
    return kStuck;
}

}  // namespace saga::cli
