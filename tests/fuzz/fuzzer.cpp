// libFuzzer's entry: fuzz --target=NAME [libFuzzer's flags] [corpus]
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/targets.hpp"

namespace {

const saga::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    constexpr std::string_view kFlag = "--target=";  // libFuzzer passes over what has two dashes
    for (int i = 1; i < *argc; ++i)
        if (const std::string_view word = (*argv)[i]; word.starts_with(kFlag))
            chosen = saga::fuzz::find(word.substr(kFlag.size()));
    saga::fuzz::must(chosen != nullptr, "name a target: --target=NAME");
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    chosen->run(std::as_bytes(std::span(data, size)));
    return 0;
}
