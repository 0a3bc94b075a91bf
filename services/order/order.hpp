#pragma once

#include <saga/saga.hpp>

saga::Service order_service();
