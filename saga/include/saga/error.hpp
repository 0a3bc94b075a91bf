// Operating trouble, and our own bugs.
#pragma once

#include <stdexcept>

namespace saga {

/// Operating trouble: I/O, network, configuration. Never a business "no". A handler that throws it,
/// or any other exception, is rolled back and tried again; after the last attempt its event is
/// dead-lettered.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace saga

namespace saga::detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace saga::detail

/// Our own bug: says where on stderr and aborts, in release too. The process starts again from what
/// it had committed.
#define SAGA_ASSERT(condition) \
    ((condition) ? void() : ::saga::detail::assertion_failed(#condition, __FILE__, __LINE__))
