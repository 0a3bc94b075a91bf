#include <saga/observe.hpp>

int main(int argc, char** argv) {
    return saga::observe(argc, argv);
}
