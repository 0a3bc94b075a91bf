#include "saga/store/memory.hpp"

#include <sqlite3.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SAGA_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SAGA_SANITIZED
#endif
#endif

// NOLINTBEGIN(cppcoreguidelines-no-malloc): what SQLite asks for is what malloc gives.
namespace saga::store {
namespace {

#ifdef SAGA_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// Usable bytes: small things, rows, a page with what SQLite keeps beside it.
constexpr std::array<int, 8> kSizes{32, 64, 128, 256, 512, 1024, 2048, 4608};
constexpr std::uint32_t kNoClass = kSizes.size();
constexpr int kMostKept = 256;  // pieces of a size in a thread: 2.1 MiB of all sizes at most

/// In front of each piece; what follows is aligned to 8 bytes, as SQLite wants it.
struct Head {
    std::uint32_t size = 0;
    std::uint32_t size_class = kNoClass;
};
struct Piece {
    Head head;
    Piece* next = nullptr;  // where the user's bytes were
};

std::uint32_t class_of(int size) {
    std::uint32_t at = 0;
    while (at < kNoClass && kSizes[at] < size) ++at;
    return at;
}

/// Outlives the pool: what is freed later in the thread's end goes back at once.
thread_local bool closed = false;

struct Pool {
    Pool() = default;
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool() {
        closed = true;
        for (Piece* piece : free)
            while (piece != nullptr) std::free(std::exchange(piece, piece->next));
    }

    std::array<Piece*, kNoClass> free{};
    std::array<int, kNoClass> count{};
};
thread_local Pool pool;

Head* head_of(void* bytes) {
    return static_cast<Head*>(bytes) - 1;
}

void* take(int size) {
    const std::uint32_t at = class_of(size);
    if (at < kNoClass && !closed && pool.free[at] != nullptr) {
        Piece* piece = std::exchange(pool.free[at], pool.free[at]->next);
        --pool.count[at];
        return &piece->head + 1;
    }
    const std::size_t usable = static_cast<std::size_t>(at < kNoClass ? kSizes[at] : size);
    auto* head = static_cast<Head*>(std::malloc(sizeof(Head) + usable));
    if (head == nullptr) return nullptr;
    *head = {static_cast<std::uint32_t>(usable), at};
    return head + 1;
}

void give_back(void* bytes) {
    if (bytes == nullptr) return;
    Head* head = head_of(bytes);
    const std::uint32_t at = head->size_class;
    if (at == kNoClass || closed || pool.count[at] == kMostKept) return std::free(head);
    auto* piece = reinterpret_cast<Piece*>(head);
    piece->next = std::exchange(pool.free[at], piece);
    ++pool.count[at];
}

int size_of(void* bytes) {
    return bytes == nullptr ? 0 : static_cast<int>(head_of(bytes)->size);
}

void* resize(void* bytes, int size) {
    if (size <= size_of(bytes)) return bytes;
    void* larger = take(size);
    if (larger == nullptr) return nullptr;
    std::memcpy(larger, bytes, static_cast<std::size_t>(size_of(bytes)));
    give_back(bytes);
    return larger;
}

int round_up(int size) {
    const std::uint32_t at = class_of(size);
    return at < kNoClass ? kSizes[at] : (size + 7) & ~7;
}

}  // namespace

void pool_sqlite_memory() {
    if (kSanitized) return;
    static const sqlite3_mem_methods methods{
        &take,        &give_back, &resize, &size_of, &round_up, [](void*) { return SQLITE_OK; },
        [](void*) {}, nullptr};
    static const bool once = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK &&
                             sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK;
    (void)once;
}

}  // namespace saga::store
// NOLINTEND(cppcoreguidelines-no-malloc)
