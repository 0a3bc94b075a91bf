// Named places where a process can be made to die, stand still or fail: `saga chaos` asks for them.
// Without the build option `failpoints` they are nothing.
#pragma once

#ifdef SAGA_FAILPOINTS

#include <array>
#include <string_view>

#define SAGA_FAILPOINT_LIST(place)                                                                \
    place(starting) place(migrating) place(begun) place(pulled) place(handling) place(journalled) \
        place(outboxed) place(moving) place(commit) place(committed) place(replying)              \
            place(sending) place(sent) place(acked) place(settling) place(timer) place(asking)    \
                place(answered) place(letter) place(rewinding) place(catching_up)                 \
                    place(checkpointing) place(pruning) place(stopping)

namespace saga::store {

#define SAGA_FAILPOINT_NAME(place) place,
enum class Failpoint { SAGA_FAILPOINT_LIST(SAGA_FAILPOINT_NAME) };
#undef SAGA_FAILPOINT_NAME
#define SAGA_FAILPOINT_NAME(place) #place,
inline constexpr std::array kFailpoints{
    std::to_array<std::string_view>({SAGA_FAILPOINT_LIST(SAGA_FAILPOINT_NAME)})};
#undef SAGA_FAILPOINT_NAME

/// Told of each place that is passed, on any thread; true: fail there as an I/O error would. Set
/// once, before there are threads.
inline bool (*on_failpoint)(Failpoint) = nullptr;

}  // namespace saga::store

/// Whether to fail here as an I/O error would.
#define SAGA_FAILS(place)                    \
    (saga::store::on_failpoint != nullptr && \
     saga::store::on_failpoint(saga::store::Failpoint::place))
#define SAGA_FAILPOINT(place) static_cast<void>(SAGA_FAILS(place))

#else

#define SAGA_FAILS(place) false
#define SAGA_FAILPOINT(place) static_cast<void>(0)

#endif
