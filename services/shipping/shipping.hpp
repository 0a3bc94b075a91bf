#pragma once

#include <saga/saga.hpp>

saga::Service shipping_service();
