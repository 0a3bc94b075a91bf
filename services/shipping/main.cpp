#include "services/shipping/shipping.hpp"

int main(int argc, char** argv) {
    return saga::run(argc, argv, shipping_service());
}
