// Runs every input of the corpus through its target.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/targets.hpp"

namespace files = std::filesystem;
using namespace saga;

namespace {

std::vector<std::byte> content(const files::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
    fuzz::must(!file.bad(), "cannot read " + path.string());
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

std::vector<files::path> inputs_of(const files::path& folder) {
    std::vector<files::path> found;
    for (const auto& entry : files::directory_iterator(folder)) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: fuzz-replay CORPUS\n");
        return 2;
    }
    const files::path corpus = argv[1];
    for (const auto& entry : files::directory_iterator(corpus))
        fuzz::must(fuzz::find(entry.path().filename().string()) != nullptr,
                   "no target has the name of " + entry.path().string());
    std::size_t inputs = 0;
    for (const fuzz::Target& target : fuzz::targets()) {
        const auto found = inputs_of(corpus / target.name);
        fuzz::must(!found.empty(), "the corpus has no input for a target");
        for (const files::path& input : found) {
            std::fprintf(stderr, "%s\n", input.c_str());  // the last one stands before a crash
            target.run(content(input));
        }
        target.run({});
        inputs += found.size() + 1;
    }
    std::printf("%zu inputs of %zu targets\n", inputs, fuzz::targets().size());
    return 0;
}
