// With a sanitizer everything takes thirty times as long: then one of five of what is alike.
#pragma once

namespace saga {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kSparse = 5;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr int kSparse = 5;
#else
inline constexpr int kSparse = 1;
#endif
#else
inline constexpr int kSparse = 1;
#endif

}  // namespace saga
